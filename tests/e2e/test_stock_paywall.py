"""Stock clients pay a priced route of a real hub: SQLite books, mandates, signed receipts."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from mpp import Receipt
from mpp.client import PaymentTransport
from x402 import x402Client
from x402.http.clients.httpx import x402AsyncTransport

from farthing.core.receipts import receipt_fault
from farthing.plugs.pympp_client import charge
from farthing.plugs.x402_client import FarthingScheme
from farthing.protocols import client
from tests.protocols.independent_payer import Payer, ed25519_sign, payment_id

from .embedded import FUNDS, Shop, open_shop

URL = "https://shop.example/weather?city=Oslo"
Wrap = Callable[[Shop, Any], httpx.AsyncBaseTransport]


def stock_mpp(shop: Shop, inner: Any) -> httpx.AsyncBaseTransport:
    return PaymentTransport([charge(shop.signer, shop.device)], inner)


def stock_x402(shop: Shop, inner: Any) -> httpx.AsyncBaseTransport:
    scheme = FarthingScheme(shop.signer, shop.device)
    return x402AsyncTransport(x402Client().register("farthing:*", scheme), inner)


class Recorder(httpx.ASGITransport):
    """Keeps every request that went over it."""

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return await super().handle_async_request(request)


def in_shop(folder: Path, work: Callable[[Shop], Awaitable[None]], **more: int) -> None:
    async def go() -> None:
        async with open_shop(folder, **more) as shop:
            await work(shop)

    asyncio.run(go())


async def buy(shop: Shop, wrap: Wrap, wire: Recorder | None = None) -> httpx.Response:
    inner = wire or Recorder(shop.paywall)
    async with httpx.AsyncClient(transport=wrap(shop, inner)) as http:
        return await http.get(URL)


STOCK = pytest.mark.parametrize("wrap", [stock_mpp, stock_x402])


@STOCK
def test_a_stock_client_pays_and_the_books_and_the_receipt_say_so(tmp_path: Path, wrap: Wrap):
    async def work(shop: Shop) -> None:
        answer = await buy(shop, wrap)
        assert (answer.status_code, answer.text) == (200, "sunny")
        assert answer.headers["cache-control"] == "private"
        assert await shop.units(shop.payer) == FUNDS - 1500
        assert await shop.units(shop.payee) == 1500
        read = client.read_receipt(answer.headers.multi_items())
        assert read is not None
        assert receipt_fault(read["receipt"], shop.root.public) is None
        statement = read["receipt"]["statement"]
        assert (statement["payment"], statement["captured"]) == (read["payment"], "1500")
        assert len(shop.served) == 1
        assert shop.served[0]["farthing-payment-id"] == read["payment"]
        assert "authorization" not in shop.served[0]
        assert "payment-signature" not in shop.served[0]

    in_shop(tmp_path, work)


@STOCK
def test_the_same_credential_gets_the_first_answer_and_is_charged_once(tmp_path: Path, wrap: Wrap):
    async def work(shop: Shop) -> None:
        wire = Recorder(shop.paywall)
        first = await buy(shop, wrap, wire)
        async with httpx.AsyncClient(transport=wire) as http:
            again = [await http.send(wire.requests[-1]) for _ in range(3)]
        for answer in again:
            assert (answer.status_code, answer.text) == (200, "sunny")
        name = "payment-receipt" if "payment-receipt" in first.headers else "payment-response"
        assert {answer.headers[name] for answer in again} == {first.headers[name]}
        assert await shop.units(shop.payee) == 1500
        assert len(shop.served) == 1

    in_shop(tmp_path, work)


@STOCK
def test_a_mandate_is_kept_whatever_the_stock_client_signs(tmp_path: Path, wrap: Wrap):
    async def work(shop: Shop) -> None:
        answer = await buy(shop, wrap)
        assert answer.status_code == 402
        assert answer.json()["code"] == "mandate-largest"
        assert await shop.units(shop.payer) == FUNDS
        assert shop.served == []

    in_shop(tmp_path, work, price=1500, largest=1499)


def test_the_stock_package_reads_the_hubs_receipt(tmp_path: Path):
    async def work(shop: Shop) -> None:
        answer = await buy(shop, stock_mpp)
        receipt = Receipt.from_payment_receipt(answer.headers["payment-receipt"])
        assert receipt.method == "farthing"
        assert receipt.reference.startswith("pay_")

    in_shop(tmp_path, work)


@pytest.mark.parametrize("language", ["mpp", "x402"])
def test_a_payer_written_from_the_specification_pays_a_real_hub(tmp_path: Path, language: str):
    async def work(shop: Shop) -> None:
        payer = Payer(shop.device, ed25519_sign, shop.signer.seed)
        wire = httpx.ASGITransport(shop.paywall)
        async with httpx.AsyncClient(transport=wire) as http:
            asked = await http.post(URL, content=b"body")
            if language == "mpp":
                paid = payer.mpp(asked.headers["www-authenticate"])
            else:
                paid = payer.x402(asked.headers["payment-required"])
            answer = await http.post(URL, content=b"body", headers=paid)
            other_body = await http.post(URL, content=b"other", headers=paid)
        assert (asked.status_code, answer.status_code) == (402, 200)
        assert other_body.status_code in (402, 409)
        assert shop.served[0]["farthing-payment-id"] == payment_id(payer.order)
        assert await shop.units(shop.payee) == 1500
        assert len(shop.served) == 1

    in_shop(tmp_path, work)


@pytest.mark.parametrize("language", ["mpp", "x402"])
def test_an_order_that_was_changed_after_signing_takes_nothing(tmp_path: Path, language: str):
    async def work(shop: Shop) -> None:
        def forge(secret: bytes, message: bytes) -> bytes:
            return ed25519_sign(secret, message.replace(b'"1500"', b'"1"'))

        payer = Payer(shop.device, forge, shop.signer.seed)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(shop.paywall)) as http:
            asked = await http.get(URL)
            if language == "mpp":
                paid = payer.mpp(asked.headers["www-authenticate"])
            else:
                paid = payer.x402(asked.headers["payment-required"])
            answer = await http.get(URL, headers=paid)
        assert answer.status_code == 402
        problem = answer.json()
        assert (problem["code"], problem["reason"]) == ("verification-failed", "bad-signature")
        assert await shop.units(shop.payer) == FUNDS
        assert shop.served == []

    in_shop(tmp_path, work)
