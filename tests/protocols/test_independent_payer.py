"""The specification suffices: a payer written from its page alone pays in both languages."""

import ast
import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from farthing import ids, keys

from . import independent_payer
from .independent_payer import Payer, ed25519_sign, p256_sign
from .make_vectors import ED25519, P256
from .stand_in import DEVICE, Seller
from .test_vectors import FILES

SIGNERS = [(ED25519, ed25519_sign), (P256, p256_sign)]


def pay(seller: Seller, payer: Payer, language: str, body: bytes) -> list[httpx.Response]:
    async def go() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(seller)) as client:

            async def send(headers: dict[str, str]) -> httpx.Response:
                url = "https://shop.example/a%20b?q=1&r=%22"
                return await client.post(url, content=body, headers=headers)

            asked = await send({})
            if language == "mpp":
                paid = payer.mpp(asked.headers["www-authenticate"])
            else:
                paid = payer.x402(asked.headers["payment-required"])
            return [asked, await send(paid)]

    return asyncio.run(go())


@pytest.mark.parametrize("body", [b"", b'{"render": true}'])
@pytest.mark.parametrize("language", ["mpp", "x402"])
@pytest.mark.parametrize(("signer", "sign"), SIGNERS, ids=["ed25519", "p256"])
def test_it_pays_and_knows_its_payments_id(signer: Any, sign: Any, language: str, body: bytes):
    seller = Seller(time.time_ns)
    seller.devices[DEVICE] = signer.public
    payer = Payer(DEVICE, sign, signer.seed)
    asked, answer = pay(seller, payer, language, body)
    assert (asked.status_code, answer.status_code) == (402, 200)
    [(number, signed)] = seller.paid.items()
    assert signed.order.members() == payer.order
    assert signed.order.resource == "POST /a%20b?q=1&r=%22"
    assert ids.name("pay", number) == independent_payer.payment_id(payer.order)


def test_it_makes_the_published_bytes_and_ids():
    for case in FILES["orders"]["good"]:
        assert independent_payer.signed_bytes(case["members"]).hex() == case["signed_hex"]
        assert independent_payer.payment_id(case["members"]) == case["payment"]


def test_both_of_its_signers_are_verified():
    for signer, sign in SIGNERS:
        for number in range(20):
            message = bytes([number])
            assert keys.verify(signer.public, sign(signer.seed, message), message)


def test_it_imports_nothing_of_farthing():
    tree = ast.parse(Path(independent_payer.__file__).read_text())
    imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported += [
        a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names
    ]
    assert not any(name.startswith(("farthing", "tests")) for name in imported)
