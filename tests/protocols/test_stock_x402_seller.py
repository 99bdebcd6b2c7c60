"""A stock x402 seller sells for hub money through our scheme, settled by a strict facilitator."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from x402 import x402Client, x402ResourceServer
from x402.http.clients.httpx import x402AsyncTransport
from x402.http.middleware.fastapi import payment_middleware
from x402.http.types import PaymentOption, RouteConfig
from x402.schemas import AssetAmount

from farthing import ids, keys
from farthing.core.orders import SignedOrder, payment_id
from farthing.errors import Malformed
from farthing.money import Asset
from farthing.plugs.x402_client import FarthingScheme
from farthing.plugs.x402_seller import FarthingServerScheme, facilitator
from farthing.protocols import names
from farthing.protocols.x402 import same_requirements, settled, signed_order

from .stand_in import DEVICE, HUB, PAYEE, SIGNER, receipt

API_KEY = "a-sellers-key"


class Facilitator(ThreadingHTTPServer):
    """Verifies and settles in memory, each nonce once, for one seller's API key."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.held: dict[int, SignedOrder] = {}
        self.settled: set[int] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def judge(self, asked: dict[str, Any]) -> tuple[int, SignedOrder] | None:
        """Read and verify a payment against the seller's requirements."""
        payload = asked["paymentPayload"]
        try:
            signed = signed_order(payload)
        except Malformed:
            return None
        same = same_requirements(payload["accepted"], asked["paymentRequirements"])
        proven = keys.verify(SIGNER.public, signed.signature, signed.order.signed_bytes())
        return (payment_id(signed.order), signed) if same and proven else None


class _Answers(BaseHTTPRequestHandler):
    server: Facilitator

    def do_GET(self) -> None:
        kind = {"x402Version": 2, "scheme": "exact", "network": names.network(HUB)}
        self._answer({"kinds": [kind], "extensions": [], "signers": {}})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        judged = self.server.judge(asked)
        failed = judged is None or judged[0] in self.server.settled
        if self.path == "/verify":
            if failed:
                return self._answer({"isValid": False, "invalidReason": "invalid_payload"})
            self.server.held[judged[0]] = judged[1]
            return self._answer({"isValid": True, "payer": DEVICE})
        if failed or judged[0] not in self.server.held:
            told = {"success": False, "transaction": "", "network": names.network(HUB)}
            return self._answer(told | {"errorReason": "invalid_payload"})
        self.server.settled.add(judged[0])
        amount = judged[1].order.amount
        return self._answer(settled(receipt(ids.name("pay", judged[0]), amount)))

    def _answer(self, body: dict[str, Any]) -> None:
        known = self.headers.get("authorization") == f"Bearer {API_KEY}"
        raw = json.dumps(body if known else {"error": "unauthenticated"}).encode()
        self.send_response(200 if known else 401)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[Facilitator]:
    server = Facilitator()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def shop(hub: Facilitator, api_key: str = API_KEY, extra: dict[str, str] | None = None) -> FastAPI:
    server = x402ResourceServer(facilitator(hub.url, api_key))
    server.register("farthing:*", FarthingServerScheme())
    option = PaymentOption(
        scheme="exact", network=names.network(HUB), pay_to=PAYEE, price="$0.0015", extra=extra
    )
    app = FastAPI()
    app.middleware("http")(payment_middleware({"GET /tea": RouteConfig(accepts=option)}, server))

    @app.get("/tea")
    async def tea() -> str:
        return "tea"

    return app


class Wire(httpx.ASGITransport):
    """Keeps the payment it carried last."""

    sent = ""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        Wire.sent = request.headers.get("payment-signature", "")
        return await super().handle_async_request(request)


def buy(app: FastAPI, headers: dict[str, str] | None = None) -> httpx.Response:
    async def go() -> httpx.Response:
        payer = x402Client().register("farthing:*", FarthingScheme(SIGNER, DEVICE))
        inner = Wire(app)
        wrapped = inner if headers else x402AsyncTransport(payer, inner)
        async with httpx.AsyncClient(transport=wrapped, base_url="https://shop") as http:
            return await http.get("/tea", headers=headers)

    return asyncio.run(go())


def test_a_stock_seller_is_paid_by_a_stock_client(hub: Facilitator):
    answer = buy(shop(hub))
    assert (answer.status_code, answer.json()) == (200, "tea")
    assert hub.settled == set(hub.held)
    [signed] = hub.held.values()
    assert (signed.order.amount, signed.order.asset, signed.order.resource) == (1500, "USD", "")
    assert signed.order.expires > time.time()


def test_a_stock_seller_can_bind_the_resource_by_an_extra(hub: Facilitator):
    assert buy(shop(hub, extra={"resource": "GET /tea"})).status_code == 200
    [signed] = hub.held.values()
    assert signed.order.resource == "GET /tea"


def test_the_same_payment_is_not_settled_twice(hub: Facilitator):
    app = shop(hub)
    assert buy(app).status_code == 200
    again = buy(app, {"payment-signature": Wire.sent})
    assert again.status_code == 402
    assert len(hub.settled) == 1


def test_a_facilitator_refuses_a_seller_without_its_key(hub: Facilitator):
    with pytest.raises(ValueError, match="401"):
        buy(shop(hub, api_key="another"))
    assert hub.held == {}


@pytest.mark.parametrize(
    ("price", "amount", "asset"),
    [
        ("$0.0015", "1500", "USD"),
        ("$ 1", "1000000", "USD"),
        ("0.25 EUR", "250000", "EUR"),
        (AssetAmount(amount="7", asset="EUR"), "7", "EUR"),
        ({"amount": "7", "asset": "USD"}, "7", "USD"),
    ],
)
def test_prices_are_read_exactly(price: Any, amount: str, asset: str):
    read = FarthingServerScheme().parse_price(price, "farthing:x")
    assert (read.amount, read.asset) == (amount, asset)


@pytest.mark.parametrize(
    "price",
    [
        0.0015,
        1,
        None,
        "0.0015",
        "$0.0000001",
        "$-1",
        "1 XYZ",
        AssetAmount(amount="1.5", asset="USD"),
        AssetAmount(amount="1", asset="XYZ"),
    ],
)
def test_a_price_that_is_a_float_or_would_be_rounded_is_refused(price: Any):
    with pytest.raises(Malformed):
        FarthingServerScheme().parse_price(price, "farthing:x")


def test_a_seller_can_name_its_own_assets():
    scheme = FarthingServerScheme({"KWH": Asset("KWH", 3)})
    assert scheme.parse_price("1.5 KWH", "farthing:x").amount == "1500"
