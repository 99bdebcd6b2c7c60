"""Demo data: people, machines and payments of a neighbourhood, made by the ordinary requests."""

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from farthing import ids
from farthing.cli.local import ask
from farthing.clock import system_clock
from farthing.codec import to_base64url
from farthing.core.devices import enrolment_bytes
from farthing.core.orders import Order
from farthing.demo.neighbours import (
    DEVICES,
    FROZEN,
    OFFERS,
    OWNERS,
    PAYMENTS,
    REVOKED,
    Machine,
    Paid,
    Rules,
)
from farthing.errors import Conflict, ensure
from farthing.keys import Signer, new_signer
from farthing.money import Amount, Asset, parse_price

MARK = "(demo)"
_ORDER_SECONDS = 600
_HOLD_SECONDS = 86_400
_LABEL = "demo data"


@dataclass(frozen=True, slots=True)
class _Enrolled:
    """A device with its key, which is forgotten afterwards: nobody can pay as it later."""

    id: str
    signer: Signer


class Sample:
    """Makes demo data in an empty hub. `await Sample(client, assets).make()`."""

    def __init__(self, client: httpx.AsyncClient, assets: Mapping[str, Asset]) -> None:
        self._client, self._assets = client, assets
        self._owners: dict[str, str] = {}
        self._accounts: dict[str, str] = {}
        self._devices: dict[str, _Enrolled] = {}
        self._hub = ""

    async def make(self) -> dict[str, Any]:
        """Make all of it, and count what was made.

        Raises: Conflict `not-a-fresh-hub` where anything was made before; MalformedPrice where
                the hub does not count what the demo data is counted in.
        """
        for price in (*(till.funds for who in OWNERS for till in who.accounts), *_prices()):
            self._amount(price)
        await self._check_fresh()
        self._hub = (await self._get("/.well-known/farthing"))["hub"]
        for owner in OWNERS:
            wanted = {"name": f"{owner.name} {MARK}", "time_zone": owner.time_zone}
            self._owners[owner.name] = (await self._post("/v1/owners", wanted))["id"]
            for account in owner.accounts:
                await self._open(self._owners[owner.name], account.name, account.funds)
        for machine in DEVICES:
            self._devices[machine.name] = await self._enrol(machine)
        for offer in OFFERS:
            await self._post("/v1/offers", self._offer(offer.payee, offer.path, offer.price))
        states = Counter([await self._pay(one) for one in PAYMENTS])
        await self._post(f"/v1/devices/{self._devices[REVOKED].id}/revoke")
        await self._post(f"/v1/accounts/{self._accounts[FROZEN]}/freeze")
        made = {"owners": OWNERS, "accounts": self._accounts, "devices": DEVICES, "offers": OFFERS}
        return {**{name: len(things) for name, things in made.items()}, "payments": dict(states)}

    async def _check_fresh(self) -> None:
        for nouns in ("accounts", "mandates", "offers", "devices"):
            if (await self._get(f"/v1/{nouns}?limit=1"))["items"]:
                detail = f"there are {nouns} here already, and demo data would lie among them"
                raise Conflict("not-a-fresh-hub", detail)

    async def _open(self, owner: str, name: str, funds: str) -> None:
        amount = self._amount(funds)
        wanted = {"owner": owner, "asset": amount.asset.code, "name": f"{name} {MARK}"}
        ident = (await self._post("/v1/accounts", wanted))["id"]
        self._accounts[name] = ident
        if amount.units:
            credit = {"account": ident, "units": str(amount.units), "asset": amount.asset.code}
            await self._post("/v1/credits", credit)

    async def _enrol(self, machine: Machine) -> _Enrolled:
        wanted = {"owner": self._owners[machine.owner], "name": machine.name}
        rules = self._rules(machine.rules)
        mandate = (await self._post("/v1/mandates", wanted | rules))["id"]
        invitation = {
            "account": self._accounts[machine.account],
            "mandate": mandate,
            "name": f"{machine.name} {MARK}",
        }
        code = (await self._post("/v1/devices/invitations", invitation))["code"]
        signer = new_signer(machine.algorithm)
        proof = to_base64url(signer.sign(enrolment_bytes(code, signer.public)))
        body = {"code": code, "public_key": signer.public, "signature": proof}
        return _Enrolled((await self._post("/v1/devices/enrol", body))["device"], signer)

    def _rules(self, rules: Rules) -> dict[str, Any]:
        budgets = [
            {"name": f"a {per}", "per": per, "limit": self._units(limit)}
            for limit, per in (told.split("/") for told in rules.budgets)
        ]
        return {
            "asset": self._amount(rules.budgets[0].split("/")[0]).asset.code,
            "largest": self._units(rules.largest) if rules.largest else None,
            "budgets": budgets,
            "payees": [self._accounts[name] for name in rules.payees],
            "categories": list(rules.categories),
            "ask_above": self._units(rules.ask_above) if rules.ask_above else None,
            "ask_seconds": 604_800,
        }

    def _offer(self, payee: str, path: str, price: str) -> dict[str, Any]:
        amount = self._amount(price)
        return {
            "payee": self._accounts[payee],
            "path": path,
            "asset": amount.asset.code,
            "amount": str(amount.units),
            "description": f"{path.strip('/').partition('/')[0]} {MARK}",
            "category": path.strip("/").partition("/")[0],
        }

    async def _pay(self, wanted: Paid) -> str:
        """Make one payment and carry it to its end, whatever that is."""
        amount, device = self._amount(wanted.price), self._devices[wanted.device]
        now_ns = system_clock()
        order = Order(
            hub=self._hub,
            device=device.id,
            payee=self._accounts[wanted.payee],
            asset=amount.asset.code,
            amount=amount.units,
            nonce=ids.encode(ids.fresh(now_ns // 1_000_000, secrets.randbits)),
            expires=now_ns // 1_000_000_000 + _ORDER_SECONDS,
            resource=f"GET {wanted.path}",
        )
        body = {
            "order": order.members(),
            "signature": to_base64url(device.signer.sign(order.signed_bytes())),
            "category": wanted.path.strip("/").partition("/")[0],
            "hold_seconds": _HOLD_SECONDS,
            "capture": wanted.end == "captured",
        }
        answer = await self._post("/v1/payments/authorise", body)
        return await self._carry_on(answer["payment"], answer["state"], wanted)

    async def _carry_on(self, payment: str, state: str, wanted: Paid) -> str:
        steps = {
            "captured in part": ("capture", {"units": self._units(wanted.part)}),
            "voided": ("void", {"reason": _LABEL}),
            "refunded": ("refunds", {"reason": _LABEL}),
            "refunded in part": ("refunds", {"units": self._units(wanted.part), "reason": _LABEL}),
            "approved": ("approve", None),
            "denied": ("deny", None),
        }
        if wanted.end.startswith("refunded"):
            await self._post(f"/v1/payments/{payment}/capture")
        if wanted.end in steps:
            verb, body = steps[wanted.end]
            await self._post(f"/v1/payments/{payment}/{verb}", body)
            state = (await self._get(f"/v1/payments/{payment}"))["state"]
        ensure(state == wanted.state, f"a payment that was to be {wanted.end} is {state}")
        return state

    def _amount(self, price: str) -> Amount:
        return parse_price(price, self._assets)

    def _units(self, price: str) -> str:
        return str(self._amount(price).units) if price else ""

    async def _get(self, path: str) -> Any:
        return await ask(self._client, "GET", path)

    async def _post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return await ask(self._client, "POST", path, body)


def _prices() -> list[str]:
    return [*(tag.price for tag in OFFERS), *(one.price for one in PAYMENTS)]
