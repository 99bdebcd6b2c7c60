"""Clients nobody here wrote pay through our plugs, and their own parsers read our answers."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from mpp import Receipt
from mpp.client import PaymentTransport
from x402 import x402Client
from x402.http.clients.httpx import PaymentError, x402AsyncTransport
from x402.http.utils import (
    decode_payment_required_header,
    decode_payment_response_header,
)

from farthing.codec import from_base64, read_json
from farthing.core.orders import SignedOrder
from farthing.keys import verify
from farthing.plugs.paying import Limits
from farthing.plugs.pympp_client import charge
from farthing.plugs.x402_client import FarthingScheme, FarthingUpto
from farthing.protocols.mpp import Mpp
from farthing.protocols.x402 import X402, signed_order
from farthing.protocols.x402_client import write

from .stand_in import DEVICE, HUB, PAYEE, PAYER, SECRET, SIGNER, Seller

URL = "https://shop.example/weather?city=Oslo"


def run(
    seller: Seller,
    wrap: Callable[[Any], httpx.AsyncBaseTransport],
    method: str = "GET",
    **more: Any,
) -> httpx.Response:
    async def go() -> httpx.Response:
        inner = httpx.ASGITransport(seller)
        async with httpx.AsyncClient(transport=wrap(inner)) as client:
            return await client.request(method, URL, **more)

    return asyncio.run(go())


def stock_x402(scheme: FarthingScheme, **controls: Any) -> Callable[[Any], x402AsyncTransport]:
    client = x402Client().register("farthing:*", scheme)
    if controls:
        client.set_spend_controls(controls)
    return lambda inner: x402AsyncTransport(client, inner)


def stock_mpp(**more: Any) -> Callable[[Any], PaymentTransport]:
    return lambda inner: PaymentTransport([charge(SIGNER, DEVICE, **more)], inner)


def test_a_stock_x402_client_pays_and_reads_our_receipt():
    seller = Seller(time.time_ns)
    answer = run(seller, stock_x402(FarthingScheme(SIGNER, DEVICE)))
    assert (answer.status_code, answer.text) == (200, "sunny")
    settled = decode_payment_response_header(answer.headers["payment-response"])
    [signed] = seller.paid.values()
    assert settled.success
    assert settled.network == f"farthing:{HUB}"
    assert settled.payer == PAYER
    assert settled.amount == "1500"
    assert settled.transaction.startswith("pay_")
    assert signed.order.resource == "GET /weather?city=Oslo"
    assert signed.order.payee == PAYEE
    assert signed.order.challenge == ""


def test_a_stock_pympp_client_pays_and_reads_our_receipt():
    seller = Seller(time.time_ns)
    answer = run(seller, stock_mpp())
    assert (answer.status_code, answer.text) == (200, "sunny")
    receipt = Receipt.from_payment_receipt(answer.headers["payment-receipt"])
    [signed] = seller.paid.values()
    assert receipt.status == "success"
    assert receipt.method == "farthing"
    assert receipt.reference.startswith("pay_")
    assert receipt.extensions["receipt"]["statement"]["payment"] == receipt.reference
    assert signed.order.challenge
    assert signed.order.amount == 1500


def test_a_stock_pympp_client_pays_for_a_request_with_a_body():
    seller = Seller(time.time_ns)
    answer = run(seller, stock_mpp(), "POST", content=b'{"render": true}')
    assert answer.status_code == 200
    assert len(seller.paid) == 1


def test_a_stock_x402_client_pays_for_a_request_with_a_body():
    seller = Seller(time.time_ns)
    answer = run(seller, stock_x402(FarthingScheme(SIGNER, DEVICE)), "POST", content=b"{}")
    assert answer.status_code == 200
    assert len(seller.paid) == 1


def test_stock_parsers_understand_the_402():
    seller = Seller(time.time_ns)
    answer = run(seller, lambda inner: inner)
    required = decode_payment_required_header(answer.headers["payment-required"])
    assert answer.status_code == 402
    assert required.x402_version == 2
    assert required.resource.description == "The weather in Oslo"
    assert required.accepts[0].amount == "1500"
    assert required.accepts[0].pay_to == PAYEE


@pytest.mark.parametrize("first", [["mpp"], ["x402"], ["mpp", "x402"]])
def test_both_stock_clients_find_their_own_language(first: list[str]):
    spoken = [{"mpp": Mpp([SECRET]), "x402": X402()}[name] for name in first]
    for name, wrap in (("mpp", stock_mpp()), ("x402", stock_x402(FarthingScheme(SIGNER, DEVICE)))):
        seller = Seller(time.time_ns, languages=spoken)
        if name in first:
            assert run(seller, wrap).status_code == 200
            assert len(seller.paid) == 1


def test_a_credential_sent_twice_is_one_payment():
    seller = Seller(time.time_ns)
    run(seller, stock_mpp())
    credential = seller.seen[-1]["authorization"]
    again = run(seller, lambda inner: inner, headers={"authorization": credential})
    assert again.status_code == 402
    assert len(seller.paid) == 1


@pytest.mark.parametrize(
    "limits",
    [
        Limits(amount_max={"USD": 1499}),
        Limits(amount_max={"EUR": 10_000}),
        Limits(payees=["acc_01kaw1f2800000000000000001"]),
        Limits(hub="another"),
    ],
)
def test_nothing_is_signed_beyond_a_plugs_own_limits(limits: Limits):
    seller = Seller(time.time_ns)
    assert run(seller, stock_mpp(limits=limits)).status_code == 402
    with pytest.raises(PaymentError, match="not told to sign"):
        run(seller, stock_x402(FarthingScheme(SIGNER, DEVICE, limits=limits)))
    assert seller.paid == {}
    assert all("payment-signature" not in headers for headers in seller.seen)


def test_limits_that_fit_do_not_stand_in_the_way():
    limits = Limits(amount_max={"USD": 1500}, payees=[PAYEE], hub=HUB)
    assert run(Seller(time.time_ns), stock_mpp(limits=limits)).status_code == 200


def test_the_stock_clients_own_spend_controls_bind():
    scheme = FarthingScheme(SIGNER, DEVICE)
    with pytest.raises(PaymentError, match="spend_controls"):
        run(Seller(time.time_ns), stock_x402(scheme, max_amount_per_payment="$0.001"))
    with pytest.raises(PaymentError, match="spend_controls"):
        run(Seller(time.time_ns, asset="EUR"), stock_x402(scheme))
    told = FarthingScheme(SIGNER, DEVICE, assets={"EUR": 6})
    assert run(Seller(time.time_ns, asset="EUR"), stock_x402(told)).status_code == 200


def test_an_unknown_device_pays_nothing():
    seller = Seller(time.time_ns)
    seller.devices.clear()
    assert run(seller, stock_mpp()).status_code == 402
    assert seller.paid == {}


def test_the_plugs_import_nothing_of_the_server():
    check = (
        "import sys\n"
        "import farthing.plugs.x402_client, farthing.protocols.client\n"
        "assert not {'x402', 'mpp', 'httpx', 'starlette'} & set(sys.modules), 'stock client'\n"
        "import farthing.plugs.x402_seller, farthing.plugs.pympp_client\n"
        "bad = {'uvicorn', 'apsw', 'psycopg', 'structlog', 'typer'} & set(sys.modules)\n"
        "bad |= {m for m in sys.modules if m.startswith(('farthing.store', 'farthing.web',"
        " 'farthing.books', 'farthing.services'))}\n"
        "assert not bad, bad\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_stock_x402_client_signs_for_the_most_under_upto():
    seen: list[SignedOrder] = []
    required = {
        "scheme": "upto",
        "network": f"farthing:{HUB}",
        "asset": "USD",
        "amount": "1500",
        "payTo": PAYEE,
        "maxTimeoutSeconds": 60,
        "extra": {"resource": "GET /weather?city=Oslo"},
    }
    asked = {"x402Version": 2, "accepts": [required], "resource": {"url": URL}, "error": "pay"}

    def seller(request: httpx.Request) -> httpx.Response:
        sent = request.headers.get("payment-signature")
        if sent is None:
            return httpx.Response(402, headers={"payment-required": write(asked)}, json={})
        message = read_json(from_base64(sent))
        seen.append(signed_order(message, ("upto",)))
        return httpx.Response(200, text="sunny")

    async def ask(scheme: FarthingScheme) -> httpx.Response:
        wire = stock_x402(scheme)(httpx.MockTransport(seller))
        async with httpx.AsyncClient(transport=wire) as client:
            return await client.get(URL)

    answer = asyncio.run(ask(FarthingUpto(SIGNER, DEVICE)))
    assert (answer.status_code, answer.text) == (200, "sunny")
    [signed] = seen
    assert (signed.order.amount, signed.order.payee) == (1500, PAYEE)
    assert verify(SIGNER.public, signed.signature, signed.order.signed_bytes())
    with pytest.raises(PaymentError):
        asyncio.run(ask(FarthingScheme(SIGNER, DEVICE)))
