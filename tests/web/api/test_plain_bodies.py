"""A plain body is read in one pass, and never otherwise than the general reader would."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing import ids
from farthing.codec import read_json, to_base64url
from farthing.core.orders import Order
from farthing.errors import Malformed
from farthing.web.api import bodies
from farthing.web.api.endpoint import _refuse_control
from farthing.web.api.payments import signed_order
from farthing.web.api.plain import plain_type, read_plain, read_signed

ORDER = dict.fromkeys(bodies.OrderBody.__struct_fields__, "text")
BODY = {"order": ORDER, "signature": "AAAA"}


def read_in_general(raw):
    """What the endpoint does with a body that is not plain; None if it is refused."""
    try:
        value = read_json(raw)
        _refuse_control(value)
        return msgspec.convert(value, bodies.PaymentBody, strict=True)
    except (Malformed, msgspec.ValidationError):
        return None


def test_a_payment_is_read_in_one_pass():
    read = read_plain(msgspec.json.encode(BODY), bodies.PaymentBody)
    assert read == msgspec.convert(BODY, bodies.PaymentBody)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"order":{},"signature":"a","signature":"b"}',
        b'{"signature":"a","signa\\u0074ure":"b"}',
        b'{"signature":"a\x7f"}',
        b'{"signature":"a\x01"}',
        b'{"signature":"a\n"}',
        '{"signature":"ä"}'.encode(),
        b'{"signature":"\xff"}',
        b'{"signature":1}',
        b'{"signature":NaN}',
        b'{"unknown":"a"}',
        b"[]",
        b"",
        b"nonsense",
    ],
)
def test_what_is_in_doubt_is_left_to_the_general_reader(raw):
    assert read_plain(raw, bodies.PaymentBody) is None


def test_a_type_with_numbers_or_lists_is_never_plain():
    assert plain_type(bodies.AuthoriseBody) is None
    assert plain_type(bodies.MandateBody) is None


def test_a_type_that_takes_unknown_members_is_never_plain():
    assert plain_type(msgspec.defstruct("Open", [("name", str)])) is None


@given(st.data())
def test_no_change_to_a_body_makes_the_two_readers_differ(data):
    raw = bytearray(msgspec.json.encode(BODY))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(raw)))
        end = data.draw(st.integers(start, min(len(raw), start + 12)))
        pieces = st.sampled_from(
            [b'"', b",", b'"asset":"x",', b'"signature":"y",', b"{", b"}", b" "]
        )
        raw[start:end] = data.draw(pieces | st.binary(max_size=3))
    read = read_plain(bytes(raw), bodies.PaymentBody)
    assert read is None or read == read_in_general(bytes(raw))


MADE = Order(
    hub="hub_" + ids.encode(1),
    device="dev_" + ids.encode(2),
    payee="acc_" + ids.encode(3),
    asset="USD",
    amount=1500,
    nonce=ids.encode(4),
    expires=1_800_000_000,
    resource="GET /a?b=c#{}",
)
SIGNED = {"order": MADE.members(), "signature": to_base64url(bytes(range(64)))}


def signed_in_general(raw):
    """What is read of a body with an order in general; None if it is refused."""
    body = read_in_general(raw)
    try:
        return body and signed_order(body)
    except Malformed:
        return None


def test_an_order_that_is_sent_as_it_is_signed_is_read_at_once():
    read = read_signed(msgspec.json.encode(SIGNED))
    assert read == signed_in_general(msgspec.json.encode(SIGNED))
    assert read is not None and read.order == MADE
    assert read.order.signed_bytes() == MADE.signed_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "01"},
        {"amount": "9223372036854775808"},
        {"amount": "-1"},
        {"expires": "2027-01-15T08:00:00.5Z"},
        {"expires": "2027-02-30T08:00:00Z"},
        {"expires": "2027-01-15T08:00:60Z"},
        {"nonce": "8" + "0" * 25},
        {"nonce": "0" * 25 + "u"},
        {"device": "dev_1"},
        {"payee": "dev_" + ids.encode(3)},
        {"hub": "h" * 201},
        {"resource": "GET /\u00e4"},
        {"resource": 'GET /"'},
        {"resource": "GET /\\"},
        {"resource": "GET /\x7f"},
        {"resource": "a" * 2049},
    ],
)
def test_an_order_that_is_wrong_or_written_otherwise_is_left_to_the_general_reader(change):
    assert read_signed(msgspec.json.encode(SIGNED | {"order": MADE.members() | change})) is None


@pytest.mark.parametrize("signature", ["A" * 85, "A" * 87, "A" * 85 + "B", "A" * 85 + "=", ""])
def test_a_signature_that_is_wrong_is_left_to_the_general_reader(signature):
    assert read_signed(msgspec.json.encode(SIGNED | {"signature": signature})) is None


@given(st.data())
def test_no_change_to_a_signed_order_makes_the_two_readers_differ(data):
    raw = bytearray(msgspec.json.encode(SIGNED))
    for _ in range(data.draw(st.integers(0, 2))):
        start = data.draw(st.integers(0, len(raw)))
        end = data.draw(st.integers(start, min(len(raw), start + 8)))
        pieces = st.sampled_from([b'"', b",", b"0", b"Z", b'"asset":"x",', b"}", b" ", b"A"])
        raw[start:end] = data.draw(pieces | st.binary(max_size=2))
    read, meant = read_signed(bytes(raw)), signed_in_general(bytes(raw))
    assert read is None or read == meant
    assert read is None or read.order.signed_bytes() == meant.order.signed_bytes()
