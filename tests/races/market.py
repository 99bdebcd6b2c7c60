"""A market of real processes: one hub or two on the same books, and shops before one service."""

import asyncio
import contextlib
import itertools
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from farthing import ids
from farthing.config import load_config
from farthing.core.orders import Order, SignedOrder
from farthing.keys import Signer, new_signer
from farthing.opening import open_to_read
from farthing.protocols.client import asks
from farthing.services.audit import audit
from farthing.services.heads import HeadsFile
from farthing.threads import Threads
from tests.books.auditor import check_history
from tests.e2e.hub_process import HubProcess, wait_for
from tests.ports import free_port
from tests.web.api.town import body_of, enrolment

from .wire import Ask, Told, at_once

PRICE = 1500
FUNDS = 1_000_000


@dataclass(frozen=True)
class Buyer:
    """A device with an account of its own that holds `FUNDS`."""

    device: str
    account: str
    mandate: str
    signer: Signer


@dataclass
class Goods:
    """What the shops sell: it counts how often each path is delivered."""

    seconds: float = 0.05
    runs: dict[str, int] = field(default_factory=dict)

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        path = scope["path"]
        self.runs[path] = self.runs.get(path, 0) + 1
        await asyncio.sleep(self.seconds)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": path.encode()})


class Shop:
    """A process that sells the goods: `farthing proxy`, or an app with the middleware."""

    def __init__(self, words: Sequence[str], environment: dict[str, str], port: int) -> None:
        self._words, self._environment = words, environment
        self.url = f"http://127.0.0.1:{port}"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", *self._words], env=self._environment)

    def ready(self) -> None:
        wait_for(self.url, self.process)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


class Market:
    """Whoever asks, asks the hubs in turn; `shops` all sell for the account `shop`."""

    def __init__(self, hubs: Sequence[HubProcess], goods: Goods) -> None:
        self.hubs, self.goods = hubs, goods
        self._turns = itertools.cycle(hubs)
        self.shops: list[Shop] = []
        self.bearer = {"authorization": f"Bearer {hubs[0].made['key']}"}
        self.http = httpx.Client(base_url=hubs[0].url, headers=self.bearer, timeout=30)
        self.funds = 0
        self.seller = self.made("/v1/owners", name="seller")["id"]
        self.shop = self.account(self.seller)
        key = self.made("/v1/keys", scopes=["seller"], owner=self.seller)
        self.as_seller = {"authorization": f"Bearer {key['secret']}"}

    def made(self, path: str, **body: Any) -> Any:
        """Ask the first hub as its operator; it must succeed."""
        answer = self.http.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def shown(self, path: str) -> Any:
        """Look something up as the operator."""
        answer = self.http.get(path)
        assert answer.is_success, answer.text
        return answer.json()

    def account(self, owner: str | None = None) -> str:
        """Open an account."""
        return self.made("/v1/accounts", asset="USD", owner=owner)["id"]

    def buyer(self, **terms: Any) -> Buyer:
        """Enrol a device with money, under a mandate of its own."""
        account = self.account()
        self.made("/v1/credits", account=account, units=str(FUNDS), asset="USD")
        self.funds += FUNDS
        return self.spender(account, **terms)

    def spender(self, account: str, **terms: Any) -> Buyer:
        """Enrol a device that spends from an account."""
        mandate = self.made("/v1/mandates", asset="USD", **terms)["id"]
        code = self.code(account, mandate)
        signer = new_signer()
        device = self.made("/v1/devices/enrol", **enrolment(code, signer))["device"]
        return Buyer(device, account, mandate, signer)

    def code(self, account: str, mandate: str) -> str:
        """Invite one more device."""
        return self.made("/v1/devices/invitations", account=account, mandate=mandate)["code"]

    def order(self, buyer: Buyer, amount: int = PRICE, **members: Any) -> SignedOrder:
        """Sign a new order for the shop."""
        now_ms = time.time_ns() // 1_000_000
        terms: dict[str, Any] = {
            "hub": self.hubs[0].made["hub"],
            "device": buyer.device,
            "payee": self.shop,
            "asset": "USD",
            "amount": amount,
            "nonce": ids.encode(ids.fresh(now_ms)),
            "expires": now_ms // 1000 + 300,
        }
        order = Order(**(terms | members))
        return SignedOrder(order, buyer.signer.sign(order.signed_bytes()))

    def hold(self, buyer: Buyer, amount: int = PRICE) -> str:
        """Hold a new order for the shop, and give the payment's id."""
        body = body_of(self.order(buyer, amount)) | {"hold_seconds": 600}
        answer = self.http.post("/v1/payments/authorise", json=body, headers=self.as_seller)
        assert answer.json()["state"] == "held", answer.text
        return answer.json()["payment"]

    def paid(self, buyer: Buyer, amount: int = PRICE, **members: Any) -> str:
        """Pay a new order, and give the payment's id."""
        return self.made("/v1/payments", **body_of(self.order(buyer, amount, **members)))["id"]

    def credential(self, buyer: Buyer, path: str, language: str, **more: Any) -> dict[str, str]:
        """Sign what the first shop asks for a path, and give the fields that pay it."""
        asked = httpx.request(**({"method": "GET", "url": self.shops[0].url + path} | more))
        assert asked.status_code == 402, asked.text
        ask = next(a for a in asks(asked.headers.multi_items()) if a.language == language)
        now = time.time_ns()
        order = ask.order(buyer.device, now, lambda: ids.encode(ids.fresh(now // 1_000_000)))
        return dict(ask.credential(SignedOrder(order, buyer.signer.sign(order.signed_bytes()))))

    def asks(self, path: str, bodies: Sequence[Any], **fields: str) -> list[Ask]:
        """Write a POST for each of these bodies, to each hub in turn."""
        return [Ask(next(self._turns).url, "POST", path, body, fields) for body in bodies]

    def post(self, path: str, bodies: Sequence[Any], **fields: str) -> list[Told]:
        """Post all of these bodies at one moment, to each hub in turn."""
        return asyncio.run(at_once(self.asks(path, bodies, **fields)))

    def balance(self, account: str) -> dict[str, int]:
        """Tell what an account holds."""
        told = self.shown(f"/v1/accounts/{account}")["balance"]
        return {name: int(units) for name, units in told.items()}

    def spent(self, buyer: Buyer) -> int:
        """Tell what has left a buyer's account for good; nothing may be held any more."""
        balance = self.balance(buyer.account)
        assert balance["held"] == 0
        return FUNDS - balance["available"]

    def payments(self, buyer: Buyer) -> list[dict[str, Any]]:
        """List a device's payments."""
        told = self.shown(f"/v1/payments?device={buyer.device}&limit=500")
        assert told["next"] is None
        return told["items"]

    def settled(self) -> None:
        """Audit the books, and count all money: none was made, none was lost."""
        asyncio.run(self._audited())
        accounts = self.shown("/v1/accounts?limit=500")
        assert accounts["next"] is None
        balances = [account["balance"] for account in accounts["items"]]
        assert sum(int(b["available"]) + int(b["held"]) for b in balances) == self.funds

    async def _audited(self) -> None:
        for hub in self.hubs:
            config = load_config(environ=hub.environment)
            with Threads(1) as readers:
                database = open_to_read(config, readers)
                try:
                    heads = HeadsFile(config.path(config.audit.heads_path))
                    report = await audit(database, hub.made["root_key"], heads)
                    await database.read(check_history)
                finally:
                    database.close()
            assert report.text == "ok", report.text
            assert not report.notes


@contextlib.contextmanager
def hubs_on(folder: Path, dsn: str) -> Iterator[list[HubProcess]]:
    """Serve one hub on SQLite, or two on the same PostgreSQL."""
    settings = {"FARTHING_BOOKS_ENGINE": "postgresql", "FARTHING_BOOKS_DSN": dsn} if dsn else {}
    with HubProcess(folder / "first", **settings) as first:
        if not dsn:
            yield [first]
            return
        second = HubProcess(folder / "second", **settings)
        second.made = first.made
        shutil.copytree(first.home / "hub" / "keys", second.home / "hub" / "keys")
        second.start()
        try:
            yield [first, second]
        finally:
            second.stop()


PRICES = """
[seller]
payee = "{payee}"

[[offer]]
path = "/held/{{name}}"
methods = ["GET", "POST"]
price = "0.0015 USD"

[[offer]]
path = "/charged/{{name}}"
price = "0.0015 USD"
mode = "charge"
"""


@contextlib.contextmanager
def shops_at(market: Market, folder: Path, upstream: str) -> Iterator[None]:
    """Open two shops before the service: a proxy, and an app with the middleware."""
    prices = folder / "prices.toml"
    prices.write_text(PRICES.format(payee=market.shop))
    first, last = market.hubs[0], market.hubs[-1]
    proxy, app = free_port(), free_port()
    told = ["--prices", str(prices), "--upstream", upstream, "--realm", "shop"]
    wanted = {"PRICES": str(prices), "UPSTREAM": upstream}
    uvicorn = ["uvicorn", "tests.races.shop_app:app", "--log-level", "warning"]
    market.shops = [
        Shop(["farthing", "proxy", *told, "--port", str(proxy)], first.environment, proxy),
        Shop([*uvicorn, "--port", str(app)], last.environment | wanted, app),
    ]
    try:
        for shop in market.shops:
            shop.ready()
        yield
    finally:
        for shop in market.shops:
            shop.stop()
