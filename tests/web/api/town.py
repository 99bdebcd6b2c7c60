"""A whole hub in this process, asked over its API: two owners, their keys, accounts, a device."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec

from farthing import ids
from farthing.app import Hub, open_hub
from farthing.books.door import Door
from farthing.clock import NS, parse_time, system_clock
from farthing.codec import from_base64url, to_base64url
from farthing.core.devices import enrolment_bytes
from farthing.core.ladders import Climber
from farthing.core.orders import Order, SignedOrder
from farthing.core.sessions import Opening
from farthing.core.tariffs import flat_rate
from farthing.core.ticks import Tick, write_tick
from farthing.core.vouchers import Agreed, Claims, sign_voucher
from farthing.keys import Ed25519Signer, Signer, new_signer
from farthing.opening import key_ring
from farthing.protocols.message_signatures import SignedMessage, sign_request
from farthing.settings import Config, RailSettings, Server
from farthing.web.app import HubApp, LocalOperator

URL = "http://hub.test"
FUNDS = 1_000_000
NOBODY = "nobody"
LOCAL = "local"
TARIFF = flat_rate("USD", "request", 1)


@dataclass
class Machine:
    """A device with its key."""

    id: str
    account: str
    mandate: str
    signer: Signer


@dataclass
class Town:
    """What a test asks the hub with. Shape: `keys` maps who asks to a secret."""

    hub: Hub
    clock: Any
    http: httpx.AsyncClient
    socket: httpx.AsyncClient
    keys: dict[str, str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        who: str = NOBODY,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Send one request as `who`."""
        fields = dict(headers or {})
        client = self.socket if who == LOCAL else self.http
        if who in self.keys:
            fields["authorization"] = f"Bearer {self.keys[who]}"
        if content is None and body is not None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = client.build_request(method, path, headers=fields, content=content)
        if who in self.machines:
            self.sign(request, self.machines[who])
        answer = await client.send(request)
        await self.hub.desk.movements.quiet()  # Its rail was asked meanwhile.
        return answer

    async def made(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """Send a request that must succeed, and give its JSON."""
        answer = await self.ask(method, path, body, **more)
        assert answer.is_success, answer.text
        return answer.json()

    def sign(self, request: httpx.Request, machine: Machine, nonce: str = "", at: int = 0) -> None:
        """Prove that a request is a device's own."""
        message = SignedMessage(
            method=request.method,
            authority=request.url.netloc.decode(),
            target=request.url.raw_path.decode(),
            headers={},
            body=request.content,
        )
        fields = sign_request(
            machine.signer,
            machine.id,
            message,
            now_s=at or self.clock() // NS,
            nonce=nonce or self.nonce(),
        )
        request.headers.update(fields)

    def nonce(self) -> str:
        """Make a time-ordered nonce."""
        return ids.encode(ids.fresh(self.clock() // 1_000_000))

    def order(
        self, amount: int = 1500, *, machine: str = "meter", payee: str = "shop", **members: Any
    ) -> SignedOrder:
        """Sign an order of a device."""
        terms: dict[str, Any] = {
            "hub": self.hub.ctx.identity.hub,
            "device": self.machines[machine].id,
            "payee": self.accounts.get(payee, payee),
            "asset": "USD",
            "amount": amount,
            "nonce": self.nonce(),
            "expires": self.clock() // NS + 300,
        }
        order = Order(**(terms | members))
        return SignedOrder(order, self.machines[machine].signer.sign(order.signed_bytes()))

    def payment(self, amount: int = 1500, **members: Any) -> dict[str, Any]:
        """Write the body that pays a new order."""
        return body_of(self.order(amount, **members))

    async def pay(self, amount: int = 1500, **members: Any) -> dict[str, Any]:
        """Pay a new order at once."""
        return await self.made("POST", "/v1/payments", self.payment(amount, **members))

    async def hold(self, amount: int = 1500, seconds: int = 60, **members: Any) -> dict[str, Any]:
        """Hold a new order for its seller."""
        body = self.payment(amount, **members) | {"hold_seconds": seconds}
        return await self.made("POST", "/v1/payments/authorise", body, who="seller.seller")

    def opening(
        self, deposit: int = 1000, lifetime: int = 600, grace: int = 60, **members: Any
    ) -> dict[str, Any]:
        """Write the body that opens a session."""
        resource = Opening(TARIFF.digest(), lifetime, grace, "GET /readings").resource()
        body = self.payment(deposit, resource=resource, **members)
        return body | {"tariff": TARIFF.members()}

    async def session(self, deposit: int = 1000, **members: Any) -> dict[str, Any]:
        """Open a session."""
        opened = await self.made("POST", "/v1/sessions", self.opening(deposit, **members))
        return opened["session"]

    def voucher(
        self, session: dict[str, Any], units: int, sequence: int = 1, *, machine: str = "meter"
    ) -> str:
        """Sign a voucher as its device sends it."""
        alias = from_base64url(session["alias"])
        claims = Claims(alias, units, sequence, parse_time(session["ends_at"]))
        signer = self.machines[machine].signer
        return to_base64url(sign_voucher(signer, self.agreed(session), claims))

    def agreed(self, session: dict[str, Any]) -> Agreed:
        """Give what the vouchers of a session sign along."""
        tariff = from_base64url(session["tariff_hash"])
        return Agreed(session["id"], session["payee"], session["asset"], tariff)

    def ladder(
        self,
        session: dict[str, Any],
        climber: Climber,
        each: int,
        units: int = 0,
        sequence: int = 1,
        *,
        machine: str = "meter",
    ) -> str:
        """Sign a voucher that commits to a ladder."""
        alias = from_base64url(session["alias"])
        ends = parse_time(session["ends_at"])
        claims = Claims(alias, units, sequence, ends, climber.ladder(each))
        return to_base64url(
            sign_voucher(self.machines[machine].signer, self.agreed(session), claims)
        )

    def climber(self, session: dict[str, Any], most: int = 100, seed: int = 1) -> Climber:
        """Make a session's ladder."""
        return Climber(from_base64url(session["alias"]), seed.to_bytes(16, "big"), most)

    def tick(self, session: dict[str, Any], climber: Climber, count: int) -> bytes:
        """Show a tick."""
        return write_tick(Tick(from_base64url(session["alias"]), *climber.rung(count)))

    async def draw(self, session: dict[str, Any], units: int, **more: Any) -> httpx.Response:
        """Draw a session."""
        body = {"voucher": self.voucher(session, units, **more)}
        return await self.ask("POST", f"/v1/sessions/{session['id']}/vouchers", body)

    async def balance(self, name: str) -> dict[str, str]:
        """Tell what an account holds."""
        shown = await self.made("GET", f"/v1/accounts/{self.accounts[name]}", who=LOCAL)
        return shown["balance"]

    async def available(self, name: str) -> int:
        """Tell what an account may spend."""
        return int((await self.balance(name))["available"])

    async def mandate(self, owner: str = "buyer", **terms: Any) -> str:
        """Make a mandate."""
        body = {"asset": "USD", "owner": self.owners[owner]} | terms
        return (await self.made("POST", "/v1/mandates", body, who=LOCAL))["id"]

    async def enrol(
        self, name: str, account: str, mandate: str, signer: Signer | None = None
    ) -> Machine:
        """Enrol a device over the API."""
        body = {"account": self.accounts[account], "mandate": mandate, "name": name}
        invited = await self.made("POST", "/v1/devices/invitations", body, who=LOCAL)
        signer = signer or new_signer()
        told = await self.made("POST", "/v1/devices/enrol", enrolment(invited["code"], signer))
        machine = Machine(told["device"], told["account"], told["mandate"], signer)
        self.machines[name] = machine
        return machine

    async def dump(self) -> dict[str, list[Any]]:
        """Give every row of every table."""

        def work(tx: Any) -> dict[str, list[Any]]:
            names = tx.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
            return {name: tx.rows(f"SELECT * FROM {name}") for (name,) in names}

        return await self.hub.ctx.database.read(work)


def body_of(signed: SignedOrder) -> dict[str, Any]:
    """Write a signed order as a request's body."""
    return {"order": signed.order.members(), "signature": to_base64url(signed.signature)}


def cancel_of(signed: SignedOrder, signer: Signer) -> dict[str, Any]:
    """Write the body that cancels an order."""
    return body_of(SignedOrder(signed.order, signer.sign(signed.order.cancel_bytes())))


def enrolment(code: str, signer: Signer) -> dict[str, str]:
    """Write the body that enrols a key."""
    proof = signer.sign(enrolment_bytes(code, signer.public))
    return {"code": code, "public_key": signer.public, "signature": to_base64url(proof)}


def config_in(folder: Path, **server: Any) -> Config:
    """Configure a hub in a folder."""
    return Config(folder=str(folder), server=Server(**server), rails=RailSettings(simulated=True))


@contextlib.asynccontextmanager
async def open_town(
    folder: Path,
    *,
    clock: Any = system_clock,
    config: Config | None = None,
    door: Door | None = None,
) -> AsyncIterator[Town]:
    """Open a hub in a folder and settle the two owners, once."""
    settings = config or config_in(folder)
    ring = key_ring(settings)
    if not ring.exists:
        ring.create()
    hub = await open_hub(settings, clock=clock, door=door)
    app = HubApp(hub.desk)
    wire, local = httpx.ASGITransport(app), httpx.ASGITransport(LocalOperator(app))
    try:
        async with (
            httpx.AsyncClient(transport=wire, base_url=URL) as http,
            httpx.AsyncClient(transport=local, base_url=URL) as socket,
        ):
            town = Town(hub, clock, http, socket)
            await _settle(town)
            yield town
    finally:
        await hub.close()


async def _settle(town: Town) -> None:
    for owner in ("buyer", "seller"):
        made = await town.made("POST", "/v1/owners", {"name": owner}, who=LOCAL)
        town.owners[owner] = made["id"]
        for scope in ("owner", "seller", "read"):
            wanted = {"scopes": [scope], "owner": made["id"]}
            key = await town.made("POST", "/v1/keys", wanted, who=LOCAL)
            town.keys[f"{owner}.{scope}"] = key["secret"]
    wanted = {"scopes": ["operator"], "owner": town.owners["buyer"]}
    town.keys["operator"] = (await town.made("POST", "/v1/keys", wanted, who=LOCAL))["secret"]
    for name, owner in (("purse", "buyer"), ("shop", "seller")):
        body = {"asset": "USD", "owner": town.owners[owner], "name": name}
        town.accounts[name] = (await town.made("POST", "/v1/accounts", body, who=LOCAL))["id"]
    credit = {"account": town.accounts["purse"], "units": str(FUNDS), "asset": "USD"}
    await town.made("POST", "/v1/credits", credit, who=LOCAL)
    budgets = [{"name": "day", "per": "day", "limit": str(FUNDS)}]
    mandate = await town.mandate(budgets=budgets, largest="100000")
    await town.enrol("meter", "purse", mandate)


def changed(config: Config, **sections: Any) -> Config:
    """Give a configuration with some sections replaced."""
    return msgspec.structs.replace(config, **sections)


__all__ = ["FUNDS", "LOCAL", "NOBODY", "Ed25519Signer", "Machine", "Town", "open_town"]
