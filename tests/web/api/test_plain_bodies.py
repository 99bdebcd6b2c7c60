"""A plain body is read in one pass, and never otherwise than the general reader would."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.codec import read_json
from farthing.errors import Malformed
from farthing.web.api import bodies
from farthing.web.api.endpoint import _refuse_control
from farthing.web.api.plain import plain_type, read_plain

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
