"""What a payer understands of a 402, and what it leaves alone."""

import json
from typing import Any

import pytest

from farthing import ids
from farthing.codec import to_base64, to_base64url
from farthing.errors import Malformed
from farthing.protocols import client
from farthing.protocols.mpp import Mpp
from farthing.protocols.x402 import X402, requirements

from .stand_in import DEVICE, HUB, NOW, PAYEE, SECRET, digest_of, terms


def fresh_nonce() -> str:
    return ids.encode(ids.fresh(NOW // 1_000_000))


def offers(**changes: Any) -> list[tuple[str, str]]:
    asked = terms(**changes)
    return [*Mpp([SECRET]).challenge(asked, NOW, None), *X402().challenge(asked, NOW, None)]


def test_one_402_asks_in_both_languages_for_the_same_thing():
    mpp, x402 = client.asks(offers())
    assert (mpp.language, x402.language) == ("mpp", "x402")
    for ask in (mpp, x402):
        assert (ask.hub, ask.payee, ask.asset, ask.amount) == (HUB, PAYEE, "USD", 1500)
        assert ask.resource == "GET /weather?city=Oslo"
        assert ask.description == "The weather in Oslo"
    assert mpp.challenge
    assert mpp.expires
    assert (x402.challenge, x402.nonce, x402.expires) == ("", "", 0)
    assert x402.lifetime_seconds == 300


def test_the_body_digest_is_told():
    [mpp, _] = client.asks(offers(body_digest=digest_of(b"body")))
    assert mpp.body_digest == digest_of(b"body")


def test_header_names_are_read_in_any_case():
    assert len(client.asks([(name.upper(), value) for name, value in offers()])) == 2


def test_challenges_joined_in_one_field_are_all_read():
    one, other = (Mpp([SECRET]).challenge(terms(amount=n), NOW, None)[0][1] for n in (1, 2))
    foreign = 'Payment id="a, b", realm="x", method="tempo", intent="charge", request="e30"'
    joined = f'Basic realm="a, b", {one}, {foreign},, Bearer, {other}'
    found = client.asks([("WWW-Authenticate", joined)])
    assert [ask.amount for ask in found] == [1, 2]


def test_asks_of_other_methods_and_networks_are_skipped():
    evm = requirements(terms()) | {"network": "eip155:8453"}
    another = requirements(terms()) | {"scheme": "another"}
    accepts = [evm, another, 5, {}, requirements(terms(amount=7))]
    required = {"x402Version": 2, "accepts": accepts, "resource": {"url": "u"}}
    value = to_base64(json.dumps(required).encode())
    assert [ask.amount for ask in client.asks([("payment-required", value)])] == [7]


@pytest.mark.parametrize(
    "value",
    ["", "Payment", 'Payment id="open', "Payment id=a, id=b", "=", "Payment a=b c", ",,,"],
)
def test_broken_challenges_are_skipped(value: str):
    assert client.asks([("www-authenticate", value)]) == []


@pytest.mark.parametrize(
    "broken",
    [
        b"[]",
        b"null",
        b'{"x402Version":1,"accepts":[]}',
        b'{"x402Version":2}',
        b'{"x402Version":2,"accepts":{}}',
        b"\xff",
    ],
)
def test_broken_requirements_are_skipped(broken: bytes):
    assert client.asks([("payment-required", to_base64(broken))]) == []
    assert client.asks([("payment-required", "!")]) == []


def test_oversized_answers_are_not_read():
    assert client.asks([("www-authenticate", "Payment " + "a" * 70_000)]) == []
    assert client.asks([("payment-required", "A" * 70_000)]) == []
    assert client.read_receipt([("payment-receipt", "A" * 70_000)]) is None
    assert client.read_receipt([("payment-response", "A" * 70_000)]) is None


def test_the_same_signed_order_writes_the_same_credential():
    for ask in client.asks(offers()):
        order = ask.order(DEVICE, NOW, fresh_nonce)
        signed = client.SignedOrder(order, bytes(64))
        assert ask.credential(signed) == ask.credential(signed)


def test_the_payers_window_is_never_longer_than_an_hour():
    [_, x402] = client.asks(offers(lifetime_seconds=86_400))
    assert x402.order(DEVICE, NOW, fresh_nonce).expires == NOW // 1_000_000_000 + 3600


def test_an_ask_that_no_order_can_hold_is_refused():
    [_, x402] = client.asks(offers(payee="caf\u00e9"))
    with pytest.raises(Malformed):
        x402.order(DEVICE, NOW, fresh_nonce)


def test_a_device_that_makes_bad_nonces_is_told():
    [_, x402] = client.asks(offers())
    with pytest.raises(Malformed):
        x402.order(DEVICE, NOW, lambda: "1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("payment-receipt", "!"),
        ("payment-receipt", to_base64url(b"[]")),
        ("payment-receipt", to_base64url(b'{"method":"tempo","reference":"0x"}')),
        ("payment-receipt", to_base64url(b'{"method":"farthing","reference":5}')),
        ("payment-response", "!"),
        ("payment-response", to_base64(b"[]")),
        ("payment-response", to_base64(b'{"success":true,"transaction":5}')),
        ("payment-response", to_base64(b'{"success":"true","transaction":"pay_1"}')),
        ("x-other", "e30"),
    ],
)
def test_what_is_no_receipt_of_ours_is_none(name: str, value: str):
    assert client.read_receipt([(name, value)]) is None


def test_a_receipt_may_carry_the_payments_id_only():
    sent = to_base64(b'{"success":true,"transaction":"pay_1","network":"farthing:h"}')
    assert client.read_receipt([("PAYMENT-RESPONSE", sent)]) == {
        "language": "x402",
        "payment": "pay_1",
        "receipt": None,
    }
