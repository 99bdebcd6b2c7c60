"""When a device's signature counts, and for what."""

import json
from pathlib import Path
from typing import Any

import pytest

from farthing.clock import NS
from farthing.codec import canonical_json, to_base64url
from farthing.core.devices import enrolment_bytes
from farthing.core.orders import SignedOrder
from farthing.keys import P256Signer, new_signer, verify
from tests.web.api.town import Town, body_of, open_town

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


async def refused(town: Town, body: dict[str, Any]) -> str:
    """Send an order that must be refused; give the code."""
    answer = await town.ask("POST", "/v1/payments", body)
    assert answer.status_code in (400, 401, 422), answer.text
    assert await town.available("shop") == 0
    return answer.json()["code"]


@pytest.mark.rule("asvs.9.2.1", on="hub")
async def test_an_order_counts_within_its_time(tmp_path: Path):
    """One that has ended, lives too long or was made at another time is refused."""
    async with open_town(tmp_path) as town:
        now = town.clock() // NS
        assert await refused(town, town.payment(expires=now)) == "order-expired"
        assert await refused(town, town.payment(expires=now + 4000)) == "order-time"
        old = town.payment(nonce="0" * 26)
        assert await refused(town, old) == "order-time"
        assert (await town.ask("POST", "/v1/payments", town.payment())).status_code == 200


@pytest.mark.rule("asvs.9.2.3", on="hub")
async def test_an_order_names_its_hub(tmp_path: Path):
    """An order that was signed for another hub is refused."""
    async with open_town(tmp_path) as town:
        assert await refused(town, town.payment(hub="b" * 32)) == "wrong-hub"


@pytest.mark.rule("asvs.9.2.3", on="hub")
async def test_no_other_signed_text_is_an_order(tmp_path: Path):
    """What a device signed to another end, or without the order's own mark, is no order."""
    async with open_town(tmp_path) as town:
        order, signer = town.order().order, town.machines["meter"].signer
        members = canonical_json(order.members())
        for text in (
            members,
            b"farthing-enrol-1\n" + members,
            json.dumps(order.members()).encode(),
        ):
            body = body_of(SignedOrder(order, signer.sign(text)))
            assert await refused(town, body) == "bad-signature"
        body = {"code": "ABCD-EFGH-JKMN-PQRS", "public_key": signer.public}
        proof = signer.sign(b"farthing-order-1\n" + enrolment_bytes(body["code"], signer.public))
        told = await town.ask(
            "POST", "/v1/devices/enrol", body | {"signature": to_base64url(proof)}
        )
        assert told.json()["code"] == "bad-signature"


@pytest.mark.rule("farthing.one-verdict", on="hub")
async def test_a_high_s_does_not_count(tmp_path: Path):
    """Of the two signatures that P-256 has for one text, only the one with the low s counts."""
    async with open_town(tmp_path) as town:
        signer = new_signer("p256")
        assert isinstance(signer, P256Signer)
        await town.enrol("chip", "purse", town.machines["meter"].mandate, signer)
        good = town.order(machine="chip")
        turned = P256_ORDER - int.from_bytes(good.signature[32:], "big")
        high = good.signature[:32] + turned.to_bytes(32, "big")
        assert not verify(signer.public, high, good.order.signed_bytes())
        body = body_of(SignedOrder(good.order, high))
        assert await refused(town, body) == "bad-signature"
        assert (await town.ask("POST", "/v1/payments", body_of(good))).status_code == 200
