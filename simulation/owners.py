"""Owners: while payments are under way they revoke, rotate, freeze, and change limits."""

import asyncio
from typing import Any

from farthing.codec import to_base64url
from farthing.core.devices import enrolment_bytes, rotation_bytes
from simulation.clients import Client
from simulation.devices import ASKED_ABOVE, TWO_ABOVE, Device, written
from simulation.hubs import HubMachine
from simulation.town import Town
from simulation.wire import Request

BUDGET = 300
_ASK_SECONDS = 10
_LARGEST = 10
_BETWEEN_SECONDS = 0.8
_YES, _NO = ("approve",), ("deny",)
_ANSWERS = (_YES, _YES, _YES, _NO, _NO, (*_YES, *_NO), (*_NO, *_YES), ())


def mandate_of(owner: str, device: Device, largest: int | None = None) -> dict[str, Any]:
    """Write a mandate's terms: a budget for the day, perhaps a largest payment, or to be asked."""
    budget = {"name": "day", "per": "day", "limit": str(BUDGET)}
    terms: dict[str, Any] = {"asset": "USD", "owner": owner, "budgets": [budget]}
    terms["ask_seconds"] = _ASK_SECONDS  # Also where only what is odd is asked about.
    if device.asks:
        terms |= {"ask_above": str(ASKED_ABOVE), "on_timeout": device.silence}
    if device.two:
        terms["two_above"] = str(TWO_ABOVE)
    return terms if largest is None else terms | {"largest": str(largest)}


class Owner(Client):
    """The owner of one device, who asks over the hub's own socket."""

    def __init__(self, name: str, town: Town, hub: HubMachine, owner: str, device: Device) -> None:
        super().__init__(name, town, hub)
        self._owner, self._device = owner, device
        self._changes = [
            self._revoke_mandate, self._revoke_device, self._rotate, self._freeze,
            self._limit, self._limit, self._answer, self._answer, self._answer,
        ]  # fmt: skip

    async def run(self) -> None:
        """Change something now and then."""
        await asyncio.sleep(self.luck.expovariate(1 / _BETWEEN_SECONDS))
        while self.town.wants_more():
            await self.luck.choice(self._changes)()
            await asyncio.sleep(self.luck.expovariate(1 / _BETWEEN_SECONDS))

    async def made(self, path: str, body: Any = None, *, method: str = "POST") -> dict[str, Any]:
        """Have something done, however long it takes, and give what the hub shows of it."""
        raw = b"" if body is None else written(body)
        key = (b"idempotency-key", self.town.name("key").encode())
        request = Request(method, path, raw, (key,), door="operator")
        while (answer := await self.do("change", request, path=path)) is None:
            await asyncio.sleep(0.1)
        return answer.told

    async def _revoke_mandate(self) -> None:
        self._begin("mandate-revoked")
        revoked = self._device.mandate
        await self.made(f"/v1/mandates/{revoked}/revoke")
        self.town.note("revoked", device=self._device.id, hub=self.hub.name)
        await asyncio.sleep(0.05)
        self._device.mandate = (await self.made("/v1/mandates", self._terms()))["id"]
        self.town.note("allowed", device=self._device.id, hub=self.hub.name)
        where = f"/v1/devices/{self._device.id}/mandate"
        await self.made(where, {"mandate": self._device.mandate}, method="PUT")

    async def _revoke_device(self) -> None:
        self._begin("device-revoked")
        await self.made(f"/v1/devices/{self._device.id}/revoke")
        self.town.note("revoked", device=self._device.id, hub=self.hub.name)
        await asyncio.sleep(0.05)
        await self.enrol()

    async def enrol(self) -> None:
        """Enrol the device with a new key, as another one."""
        device = self._device
        wanted = {"account": device.account, "mandate": device.mandate, "name": "machine"}
        while True:
            code = (await self.made("/v1/devices/invitations", wanted)).get("code")
            if code is None:
                continue  # It was in an answer that was lost, and is not told twice.
            signer = device.new_key()
            proof = to_base64url(signer.sign(enrolment_bytes(code, signer.public)))
            body = {"code": code, "public_key": signer.public, "signature": proof}
            enrolled = await self.made("/v1/devices/enrol", body)
            if "device" in enrolled:
                device.take(enrolled["device"], signer)
                return

    async def _rotate(self) -> None:
        self._begin("key-rotated")
        device, new = self._device, self._device.new_key()
        message = rotation_bytes(device.id, new.public)
        body = {
            "public_key": new.public,
            "signature_old": to_base64url(device.signer.sign(message)),
            "signature_new": to_base64url(new.sign(message)),
            "overlap_seconds": 0,
        }
        shown = await self.made(f"/v1/devices/{device.id}/rotate", body)
        if "keys" in shown:
            device.take(device.id, new)

    async def _freeze(self) -> None:
        self._begin("account-frozen")
        await self.made(f"/v1/accounts/{self._device.account}/freeze")
        self.town.note("revoked", device=self._device.id, hub=self.hub.name)
        await asyncio.sleep(0.05)
        self.town.note("allowed", device=self._device.id, hub=self.hub.name)
        await self.made(f"/v1/accounts/{self._device.account}/unfreeze")

    async def _limit(self) -> None:
        self._begin("limit-lowered")
        where = f"/v1/mandates/{self._device.mandate}"
        await self.made(where, self._terms(_LARGEST), method="PUT")
        await asyncio.sleep(0.1)
        await self.made(where, self._terms(), method="PUT")

    async def _answer(self) -> None:
        """Approve or deny what was asked, say both at once, or leave it to its deadline."""
        asked, self._device.awaiting = self._device.awaiting, {}
        for payment, facts in asked.items():
            verbs = self.luck.choice(_ANSWERS)
            await asyncio.gather(*(self._say(verb, payment, facts) for verb in verbs))

    async def _say(self, verb: str, payment: str, facts: dict[str, Any]) -> None:
        request = Request("POST", f"/v1/payments/{payment}/{verb}", door="operator")
        await self.do(verb, request, of=payment, **facts)

    def _terms(self, largest: int | None = None) -> dict[str, Any]:
        return mandate_of(self._owner, self._device, largest)

    def _begin(self, change: str) -> None:
        self.town.change(change, self._device.id)
