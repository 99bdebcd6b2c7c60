"""x402 as a seller and a facilitator speak it: static requirements, exact acceptance."""

import json
from typing import Any

import msgspec
import pytest
from x402.http.utils import decode_payment_response_header, decode_payment_signature_header

from farthing import ids, keys
from farthing.codec import from_base64, read_json, to_base64
from farthing.core.orders import SignedOrder, payment_id
from farthing.errors import Malformed
from farthing.protocols import client
from farthing.protocols.base import BadCredential, Terms
from farthing.protocols.x402 import (
    X402,
    error_reason,
    identifier_of,
    requirements,
    same_requirements,
    signed_order,
)

from .stand_in import DEVICE, HUB, NOW, PAYEE, PAYER, SIGNER, receipt, terms

NONCE = ids.encode(ids.fresh(NOW // 1_000_000, lambda _: 5))


def ask(asked: Terms) -> client.Ask:
    [found] = client.asks(X402().challenge(asked, NOW, None))
    return found


def sign(found: client.Ask) -> SignedOrder:
    order = found.order(DEVICE, NOW, lambda: NONCE)
    return SignedOrder(order, SIGNER.sign(order.signed_bytes()))


def credential(asked: Terms) -> dict[str, str]:
    found = ask(asked)
    return dict(found.credential(sign(found)))


def opened(headers: dict[str, str]) -> dict[str, Any]:
    return read_json(from_base64(headers["payment-signature"]))


def closed(message: Any) -> dict[str, str]:
    return {"payment-signature": to_base64(json.dumps(message).encode())}


def refused(headers: dict[str, str], asked: Terms | None = None) -> BadCredential:
    with pytest.raises(BadCredential) as caught:
        X402().read(headers, asked or terms(), NOW)
    return caught.value


def test_what_is_asked_is_signed_and_read_back_to_the_unit():
    found = ask(terms())
    signed = sign(found)
    read = X402().read(dict(found.credential(signed)), terms(), NOW)
    assert read == signed
    assert read.order.challenge == ""
    assert read.order.nonce == NONCE
    assert read.order.resource == "GET /weather?city=Oslo"
    assert keys.verify(SIGNER.public, read.signature, read.order.signed_bytes())


def test_requirements_do_not_change_with_time():
    later = NOW + 10**12
    assert X402().challenge(terms(), NOW, None) == X402().challenge(terms(), later, None)


def test_text_is_written_in_ascii_which_every_reader_of_base64_reads_alike():
    asked = msgspec.structs.replace(terms(), description="Wetter in Köln ☀")
    [(_, value)] = X402().challenge(asked, NOW, None)
    assert from_base64(value).isascii()
    assert ask(asked).description == "Wetter in Köln ☀"


def test_the_stock_package_reads_our_credential():
    value = credential(terms())["payment-signature"]
    read = decode_payment_signature_header(value)
    assert read.x402_version == 2
    assert read.accepted.pay_to == PAYEE
    assert read.accepted.extra == {"resource": "GET /weather?city=Oslo"}
    assert set(read.payload) == {"device", "expires", "nonce", "signature"}
    assert read.resource.url == "https://shop.example/weather?city=Oslo"


def test_the_error_names_why_the_last_payment_failed():
    problem = BadCredential("insufficient-funds")
    [(_, value)] = X402().challenge(terms(), NOW, problem)
    assert read_json(from_base64(value))["error"] == "insufficient_funds"


@pytest.mark.parametrize(
    ("changed", "stale"),
    [
        ({"amount": 1499}, True),
        ({"asset": "EUR"}, True),
        ({"payee": "acc_01kaw1f2800000000000000001"}, False),
        ({"lifetime_seconds": 60}, True),
        ({"hub": "another"}, False),
        ({"resource": "GET /weather?city=Bergen"}, False),
    ],
)
def test_only_what_is_asked_here_and_now_is_accepted(changed: dict[str, Any], stale: bool):
    fault = refused(credential(terms(**changed)))
    assert (fault.code, fault.answer_status) == ("terms-mismatch", 402)
    assert (fault.stale is not None) == stale


def test_an_expired_order_is_still_read_because_it_may_already_be_paid():
    late = NOW + 3600 * 1_000_000_000
    assert X402().read(credential(terms()), terms(), late).order.expires < late // 1_000_000_000


def test_a_window_longer_than_the_requirement_allows_is_refused():
    message = opened(credential(terms()))
    message["payload"]["expires"] = "2026-12-22T21:00:00Z"
    assert refused(closed(message)).code == "lifetime-too-long"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "!",
        "e30",
        "e30=",
        "bnVsbA==",
        "W10=",
        "A" * 20_000,
        to_base64(b'{"x402Version":1}'),
        to_base64(b'{"x402Version":2}'),
        to_base64(b'{"x402Version":2,"accepted":[],"payload":{}}'),
        to_base64(b"\xff"),
        to_base64(b"{" * 3000),
    ],
)
def test_what_cannot_be_read_is_a_400(value: str):
    fault = refused({"payment-signature": value})
    assert (fault.code, fault.answer_status) == ("malformed-credential", 400)


@pytest.mark.parametrize(
    "changed",
    [
        {"device": None},
        {"device": "dev_x"},
        {"device": PAYEE},
        {"nonce": "short"},
        {"nonce": NONCE.upper()},
        {"nonce": 5},
        {"expires": "2026-11-22T21:05:00+00:00"},
        {"expires": "2026-11-22T21:05:00.5Z"},
        {"expires": "1763845200"},
        {"expires": 1763845200},
        {"signature": "A" * 85},
        {"signature": "A" * 128},
        {"amount": "1"},
        {"resource": "GET /"},
    ],
)
def test_our_own_payload_is_strict(changed: dict[str, Any]):
    message = opened(credential(terms()))
    message["payload"] |= changed
    fault = refused(closed(message))
    assert (fault.code, fault.answer_status) == ("malformed-credential", 400)


@pytest.mark.parametrize("name", ["device", "expires", "nonce", "signature"])
def test_no_member_of_the_payload_may_be_missing(name: str):
    message = opened(credential(terms()))
    del message["payload"][name]
    assert refused(closed(message)).code == "malformed-credential"


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": 1500},
        {"amount": "1500.0"},
        {"amount": "-1500"},
        {"amount": "0x5dc"},
        {"amount": "99999999999999999999"},
        {"amount": "\u0661"},
        {"maxTimeoutSeconds": 300.0},
        {"maxTimeoutSeconds": True},
        {"maxTimeoutSeconds": "300"},
        {"network": "eip155:8453"},
        {"network": "farthing:"},
        {"network": 5},
        {"scheme": "upto"},
        {"extra": []},
        {"extra": {"resource": 5}},
        {"payTo": "caf\u00e9"},
        {"payTo": ""},
    ],
)
def test_a_requirement_of_another_shape_is_malformed(changed: dict[str, Any]):
    message = opened(credential(terms()))
    message["accepted"] |= changed
    assert refused(closed(message)).code == "malformed-credential"


def test_unknown_members_of_the_envelope_are_ignored_and_of_extra_are_not():
    message = opened(credential(terms()))
    message["later"] = 1
    message["accepted"]["later"] = 1
    assert X402().read(closed(message), terms(), NOW)
    message["accepted"]["extra"]["later"] = 1
    assert refused(closed(message)).code == "terms-mismatch"


def test_a_stock_sellers_requirement_binds_no_resource():
    message = opened(credential(terms()))
    for extra in ({}, None):
        message["accepted"]["extra"] = extra
        assert signed_order(message).order.resource == ""
    del message["accepted"]["extra"]
    assert signed_order(message).order.resource == ""
    assert same_requirements(message["accepted"], message["accepted"] | {"extra": {}})
    assert not same_requirements(message["accepted"], requirements(terms()))


def test_a_nonce_belongs_to_the_device_that_made_it():
    mine = sign(ask(terms())).order
    theirs = ask(terms()).order("dev_01kaw1f2810000000000000001", NOW, lambda: NONCE)
    assert payment_id(mine) != payment_id(theirs)


def test_the_clients_payment_identifier_is_read():
    headers = credential(terms())
    assert X402().identifier(headers) == NONCE
    message = opened(headers)
    message["extensions"]["payment-identifier"]["info"]["id"] = "order-2026-11-22-0001"
    assert X402().identifier(closed(message)) == "order-2026-11-22-0001"
    assert X402().read(closed(message), terms(), NOW)
    del message["extensions"]
    assert X402().identifier(closed(message)) == ""
    assert X402().read(closed(message), terms(), NOW)


@pytest.mark.parametrize(
    "extension",
    [
        5,
        {},
        {"info": {}},
        {"info": {"required": "no"}},
        {"info": {"required": False, "id": "short"}},
        {"info": {"required": False, "id": "x" * 129}},
        {"info": {"required": False, "id": "has a space in it"}},
        {"info": {"required": False, "id": 5}},
        {"info": {"required": True, "id": "order-2026-11-22-0001"}},
    ],
)
def test_an_identifier_of_another_shape_or_an_overwritten_echo_is_malformed(extension: Any):
    message = opened(credential(terms()))
    message["extensions"]["payment-identifier"] = extension
    fault = refused(closed(message))
    assert (fault.code, fault.answer_status) == ("malformed-credential", 400)


@pytest.mark.parametrize("extensions", [5, [], "x"])
def test_extensions_are_an_object(extensions: Any):
    with pytest.raises(Malformed):
        identifier_of({"extensions": extensions})


def test_a_failure_is_what_the_stock_package_reads():
    headers = dict(X402().failure("insufficient-funds", terms()))
    read = decode_payment_response_header(headers["payment-response"])
    assert not read.success
    assert read.error_reason == "insufficient_funds"
    assert read.transaction == ""
    assert read.network == f"farthing:{HUB}"
    assert client.read_receipt(headers.items()) is None
    assert error_reason("awaiting-owner") == "awaiting_owner"


def test_the_receipt_is_what_our_client_reads():
    headers = X402().receipt(receipt())
    read = decode_payment_response_header(dict(headers)["payment-response"])
    assert (read.success, read.amount, read.payer) == (True, "1500", PAYER)
    assert client.read_receipt(headers) == {
        "language": "x402",
        "payment": read.transaction,
        "receipt": receipt(),
    }


def test_faults_show_no_credential():
    headers = credential(terms(amount=1))
    written = json.dumps(refused(headers).problem())
    assert opened(headers)["payload"]["signature"] not in written
    assert headers["payment-signature"] not in written
