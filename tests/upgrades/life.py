"""A small hub's life, lived by whatever version of Farthing is on the path; then its data is kept.

This runs as a program of its own with an older commit's `src` on PYTHONPATH, so it imports nothing
of the tests, and uses of Farthing only what every version since the first hub has.

Shape: life.py FOLDER [DSN]. The folder then holds the hub (`hub`), a device (`device`) and
       `expected.json`: what has to be found again.
"""

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any

import httpx

from farthing import ids, keys
from farthing.app import open_hub
from farthing.clock import parse_time, write_time
from farthing.config import load_config
from farthing.core.devices import enrolment_bytes, rotation_bytes
from farthing.core.orders import Order, SignedOrder
from farthing.device import Client, Patience, enrol, open_purse
from farthing.errors import OutcomeUnknown
from farthing.opening import key_ring
from farthing.protocols.base import Terms
from farthing.protocols.mpp import Mpp
from farthing.store.migrate import migrations
from farthing.web.app import HubApp, LocalOperator

NS = 1_000_000_000
BEGAN = 1_735_732_800
"""The first of January 2025: before any clock that today's code will be tried with."""

RECEIPTS = ("captured", "refunded", "by the first key")
PASSPHRASE = b"correct horse battery staple"
URL, SHOP = "http://hub.test", "http://shop.test/weather"


class Clock:
    """Time that a life spends as it likes."""

    def __init__(self) -> None:
        self.now_ns = BEGAN * NS

    def __call__(self) -> int:
        self.now_ns += 1_000_000
        return self.now_ns

    async def sleep(self, seconds: float) -> None:
        self.now_ns += int(seconds * NS)
        await asyncio.sleep(0)


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Life:
    """One hub, two owners, and everything that can happen between them."""

    def __init__(self, folder: Path, hub: Any, clock: Clock) -> None:
        self.folder, self.hub, self.clock = folder, hub, clock
        app = HubApp(hub.desk)
        self.wire = httpx.ASGITransport(app)
        self.http = httpx.AsyncClient(transport=self.wire, base_url=URL)
        local = httpx.ASGITransport(LocalOperator(app))
        self.local = httpx.AsyncClient(transport=local, base_url=URL)
        self.payments: dict[str, str] = {}
        self.kept: dict[str, Any] = {}
        self.signers: dict[str, Any] = {}

    def at(self, hub: Any) -> "Life":
        """Go on at the hub as it was opened again."""
        later = Life(self.folder, hub, self.clock)
        later.kept, later.payments, later.signers = self.kept, self.payments, self.signers
        return later

    async def ask(
        self, method: str, path: str, body: Any = None, key: str = "", **more: Any
    ) -> Any:
        """Ask as the operator, or with a key."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        client = self.http if key else self.local
        headers |= more.get("headers", {})
        answer = await client.request(method, path, json=body, headers=headers)
        if answer.status_code >= 300 and answer.status_code not in more.get("fine", ()):
            raise SystemExit(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    async def settle(self) -> None:
        """Two owners with keys, accounts, mandates, devices and offers."""
        for name in ("buyer", "seller"):
            owner = (await self.ask("POST", "/v1/owners", {"name": name}))["id"]
            wanted = {"owner": owner, "scopes": ["owner", "seller"]}
            self.kept[name] = {"owner": owner, "key": (await self.key(wanted))["secret"]}
            account = {"asset": "USD", "owner": owner, "name": name}
            self.kept[name]["account"] = (await self.ask("POST", "/v1/accounts", account))["id"]
        revoked = await self.key({"owner": self.kept["buyer"]["owner"], "scopes": ["read"]})
        await self.ask("POST", f"/v1/keys/{revoked['id']}/revoke")
        self.kept["revoked_key"] = revoked["secret"]
        await self.accounts()
        credit = {"account": self.kept["buyer"]["account"], "units": "1000000", "asset": "USD"}
        await self.ask("POST", "/v1/credits", credit)
        self.kept["mandate"] = await self.mandate()
        asking = await self.mandate(ask_above="1000", ask_seconds=604_800)
        await self.device("meter", self.kept["mandate"])
        await self.device("asking", asking)
        await self.device("lost", self.kept["mandate"])
        await self.ask("POST", f"/v1/devices/{self.kept['devices']['lost']}/revoke")
        await self.rotate("meter")
        await self.offers()

    async def key(self, wanted: Any) -> Any:
        """Make a key."""
        return await self.ask("POST", "/v1/keys", wanted)

    async def accounts(self) -> None:
        """One account frozen, one closed."""
        for what in ("freeze", "close"):
            body = {"asset": "USD", "owner": self.kept["buyer"]["owner"], "name": what}
            account = (await self.ask("POST", "/v1/accounts", body))["id"]
            await self.ask("POST", f"/v1/accounts/{account}/{what}")

    async def mandate(self, **terms: Any) -> str:
        """Make a mandate."""
        body = {
            "asset": "USD",
            "owner": self.kept["buyer"]["owner"],
            "largest": "5000",
            "budgets": [
                {"name": "day", "per": "day", "limit": "100000"},
                {"name": "month", "per": "month", "limit": "500000"},
            ],
        }
        return (await self.ask("POST", "/v1/mandates", body | terms))["id"]

    async def invite(self, mandate: str) -> str:
        """Make a code."""
        body = {"account": self.kept["buyer"]["account"], "mandate": mandate}
        return (await self.ask("POST", "/v1/devices/invitations", body))["code"]

    async def device(self, name: str, mandate: str) -> None:
        """Enrol a device of each algorithm in turn."""
        code = await self.invite(mandate)
        signer = keys.new_signer("p256" if name == "asking" else "ed25519")
        proof = b64(signer.sign(enrolment_bytes(code, signer.public)))
        body = {"code": code, "public_key": signer.public, "signature": proof}
        told = await self.ask("POST", "/v1/devices/enrol", body)
        self.kept.setdefault("devices", {})[name] = told["device"]
        self.signers[name] = signer

    async def rotate(self, name: str) -> None:
        """Give a device another key."""
        device, new = self.kept["devices"][name], keys.new_signer()
        message = rotation_bytes(device, new.public)
        body = {
            "public_key": new.public,
            "signature_old": b64(self.signers[name].sign(message)),
            "signature_new": b64(new.sign(message)),
        }
        await self.ask("POST", f"/v1/devices/{device}/rotate", body)
        self.signers[name] = new

    async def offers(self) -> None:
        """One offer that stands, one withdrawn, and one that is listed where that is known."""
        seller = self.kept["seller"]
        body = {"payee": seller["account"], "path": "/weather", "asset": "USD", "amount": "1500"}
        self.kept["offer"] = (await self.ask("POST", "/v1/offers", body, seller["key"]))["id"]
        gone = await self.ask("POST", "/v1/offers", body | {"path": "/gone"}, seller["key"])
        await self.ask("POST", f"/v1/offers/{gone['id']}/withdraw", None, seller["key"])
        listed = body | {"path": "/listed", "listed_at": "https://shop.example"}
        await self.ask("POST", "/v1/offers", listed, seller["key"], fine=(400,))

    def order(self, amount: int, device: str = "meter", **members: Any) -> SignedOrder:
        """Sign an order."""
        now = self.clock()
        order = Order(
            hub=self.hub.ctx.identity.hub,
            device=self.kept["devices"][device],
            payee=self.kept["seller"]["account"],
            asset="USD",
            amount=amount,
            nonce=ids.encode(ids.fresh(now // 1_000_000)),
            expires=now // NS + 300,
            **members,
        )
        return SignedOrder(order, self.signers[device].sign(order.signed_bytes()))

    async def pay(self, amount: int, device: str = "meter", **more: Any) -> Any:
        """Charge at once."""
        return await self.ask("POST", "/v1/payments", body_of(self.order(amount, device)), **more)

    async def hold(self, amount: int, seconds: int = 60) -> str:
        """Hold as the seller does."""
        body = body_of(self.order(amount)) | {"hold_seconds": seconds}
        key = self.kept["seller"]["key"]
        return (await self.ask("POST", "/v1/payments/authorise", body, key))["payment"]

    async def seller(self, payment: str, what: str, body: Any) -> Any:
        """Do something to a payment as its seller."""
        key = self.kept["seller"]["key"]
        return await self.ask("POST", f"/v1/payments/{payment}/{what}", body, key)

    async def trade(self) -> None:
        """One payment of each kind."""
        named = self.payments
        named["captured"] = (await self.pay(1500))["id"]
        again = {"headers": {"idempotency-key": "once"}, "key": self.kept["buyer"]["key"]}
        named["keyed"] = (await self.pay(700, **again))["id"]
        named["part"] = await self.hold(3000)
        await self.seller(named["part"], "capture", {"units": "1000"})
        named["voided"] = await self.hold(2000)
        await self.seller(named["voided"], "void", {"reason": "sold out"})
        named["refunded"] = (await self.pay(4000))["id"]
        await self.seller(named["refunded"], "refunds", {"units": "1500", "reason": "half"})
        named["undelivered"] = (await self.pay(300))["id"]
        await self.seller(named["undelivered"], "delivery", {"reason": "cut"})
        refused = await self.pay(6000, fine=(402, 422))
        named["refused"] = refused.get("payment") or refused["id"]
        for state in ("approve", "deny"):
            asked = (await self.pay(2500, "asking"))["id"]
            await self.ask("POST", f"/v1/payments/{asked}/{state}")
            named[state] = asked
        named["awaiting"] = (await self.pay(2400, "asking"))["id"]
        named["expired"] = await self.hold(900, 5)
        self.clock.now_ns += 10 * NS
        named["settled"] = await self.facilitate(1100)
        named["held"] = await self.hold(800, 86_400)
        await self.draw()

    async def draw(self) -> None:
        """Open a session and draw it, where sessions are known; it stays open."""
        try:
            from farthing.core import sessions, tariffs, vouchers
        except ImportError:
            return
        tariff = tariffs.flat_rate("USD", "request", 5)
        resource = sessions.Opening(tariff.digest(), 86_000, 60, "GET /readings").resource()
        body = body_of(self.order(2000, resource=resource)) | {"tariff": tariff.members()}
        session = (await self.ask("POST", "/v1/sessions", body))["session"]
        agreed = vouchers.Agreed(session["id"], session["payee"], "USD", tariff.digest())
        alias = base64.urlsafe_b64decode(session["alias"] + "=" * (-len(session["alias"]) % 4))
        claims = vouchers.Claims(alias, 500, 1, parse_time(session["ends_at"]))
        voucher = b64(vouchers.sign_voucher(self.signers["meter"], agreed, claims))
        await self.ask("POST", f"/v1/sessions/{session['id']}/vouchers", {"voucher": voucher})
        self.kept["session"] = session["id"]

    async def facilitate(self, amount: int) -> str:
        """Let an x402 shop verify and settle."""
        signed, key = self.order(amount), self.kept["seller"]["key"]
        body = x402_of(signed)
        await self.ask("POST", "/verify", body, key)
        return (await self.ask("POST", "/settle", body, key))["transaction"]

    async def buy(self) -> None:
        """A device of its own folder pays a shop twice; the second answer never reaches it."""
        path = self.folder / "device"
        code = await self.invite(self.kept["mandate"])
        await enrol(path, URL, code, name="kiosk", plain_http=True, transport=self.wire)
        shop = Shop(self)
        for loses in (False, True):
            shop.loses = loses
            patience = Patience(clock=self.clock, sleep=self.clock.sleep, attempts=2)
            purse = open_purse(path)
            client = Client(purse, transport=shop, patience=patience, plain_http=True)
            try:
                answer = await client.get(SHOP)
                if loses or answer.status_code != 200:
                    raise SystemExit(f"the shop answered {answer.status_code}")
            except OutcomeUnknown as fault:
                if not loses:
                    raise SystemExit(f"the kiosk could not pay: {fault}") from None
        [entry] = open_purse(path).journal.unresolved()
        self.payments["lost answer"] = entry.payment

    async def told(self) -> dict[str, Any]:
        """Tell everything that has to be found again."""
        shown = (await self.ask("GET", "/v1/accounts?limit=100"))["items"]
        accounts = [await self.ask("GET", f"/v1/accounts/{one['id']}") for one in shown]
        seen = {
            name: await self.ask("GET", f"/v1/payments/{payment}")
            for name, payment in self.payments.items()
        }
        return {
            "hub": self.hub.ctx.identity.hub,
            "root_key": self.hub.ctx.identity.root_public,
            "time_ns": self.clock(),
            "schema": migrations()[-1][0],
            "accounts": {one["name"]: {"state": one["state"]} | one["balance"] for one in accounts},
            "payments": {
                name: {k: one[k] for k in ("id", "state", "captured", "refunded")}
                for name, one in seen.items()
            },
            "receipts": {name: seen[name]["receipt"] for name in RECEIPTS},
        } | self.kept


def body_of(signed: SignedOrder) -> dict[str, Any]:
    """Write an order as a request's body."""
    return {"order": signed.order.members(), "signature": b64(signed.signature)}


def x402_of(signed: SignedOrder) -> dict[str, Any]:
    """Write an order as an x402 shop passes it on."""
    order = signed.order
    required = {
        "scheme": "exact",
        "network": f"farthing:{order.hub}",
        "asset": order.asset,
        "amount": str(order.amount),
        "payTo": order.payee,
        "maxTimeoutSeconds": 60,
        "extra": {"resource": order.resource},
    }
    proof = {
        "device": order.device,
        "expires": write_time(order.expires),
        "nonce": order.nonce,
        "signature": b64(signed.signature),
    }
    payload = {"x402Version": 2, "accepted": required, "payload": proof}
    return {"x402Version": 2, "paymentPayload": payload, "paymentRequirements": dict(required)}


class Shop(httpx.AsyncBaseTransport):
    """A shop that speaks MPP, and may lose its answer after it took the money."""

    def __init__(self, life: Life) -> None:
        self.life, self.loses = life, False
        self.language = Mpp([bytes(32)])

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "hub.test":
            raise httpx.ConnectError("no way to the hub from here")
        seller = self.life.kept["seller"]
        terms = Terms(
            realm="shop.test",
            hub=self.life.hub.ctx.identity.hub,
            payee=seller["account"],
            asset="USD",
            amount=1500,
            resource="GET /weather",
            url=SHOP,
        )
        fields = dict(request.headers)
        now = self.life.clock()
        if not fields.get("authorization", "").startswith("Payment"):
            asked = self.language.challenge(terms, now, None)
            return httpx.Response(402, headers=list(asked), json={"code": "payment-required"})
        signed = self.language.read(fields, terms, now)
        body = body_of(signed) | {"capture": True}
        told = await self.life.ask("POST", "/v1/payments/authorise", body, seller["key"])
        if self.loses:
            raise httpx.ReadError("the line went dead")
        proof = list(self.language.receipt(told["receipt"]))
        return httpx.Response(200, headers=proof, stream=httpx.ByteStream(b"sunny"))


def seal(folder: Path, files: list[Path]) -> None:
    """Keep keys under a passphrase as well, where that is known."""
    try:
        from farthing import sealing, secret_files
    except ImportError:
        return
    folder.mkdir()
    for file in files:
        copy = folder / file.name
        secret_files.write_secret(copy, file.read_bytes())
        secret_files.reseal(copy, sealing.nobody, PASSPHRASE)


async def live(folder: Path, dsn: str) -> None:
    """Live two days: the second with another signing key."""
    home = folder / "hub"
    home.mkdir(parents=True, exist_ok=True)
    engine = f'engine = "postgresql"\ndsn = "{dsn}"\n' if dsn else ""
    (home / "farthing.toml").write_text(f"[books]\n{engine}")
    config = load_config(home / "farthing.toml", {})
    key_ring(config).create()
    clock = Clock()
    hub = await open_hub(config, clock=clock)
    life = Life(folder, hub, clock)
    await life.settle()
    life.payments["by the first key"] = (await life.pay(100))["id"]
    await hub.close()
    key_ring(config).add_signing_key()
    clock.now_ns += 3600 * NS
    hub = await open_hub(config, clock=clock)
    life = life.at(hub)
    await life.trade()
    await life.buy()
    told = await life.told()
    await hub.close()
    seal(folder / "sealed", [*sorted((home / "keys").glob("*.key")), folder / "device/device.key"])
    (folder / "expected.json").write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""))
