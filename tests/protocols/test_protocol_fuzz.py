"""Whatever is sent, a parser answers with its own fault or with nothing, never with a crash."""

import contextlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.codec import from_base64, from_base64url, read_json, to_base64, to_base64url
from farthing.core.orders import SignedOrder
from farthing.errors import Malformed
from farthing.protocols import client, fields
from farthing.protocols.base import BadCredential
from farthing.protocols.mpp import Mpp, challenge_id
from farthing.protocols.x402 import X402, identifier_of, same_requirements, signed_order
from tests.effort import examples

from .stand_in import DEVICE, NOW, SECRET, terms

QUICK = settings(max_examples=examples(150), deadline=None)
TEXT = st.text(max_size=60) | st.text('Payment ,="\\;=abcABC01-_|', max_size=80)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)


def good() -> tuple[dict[str, Any], dict[str, Any]]:
    asked = [*Mpp([SECRET]).challenge(terms(), NOW, None), *X402().challenge(terms(), NOW, None)]
    written: dict[str, str] = {}
    for ask in client.asks(asked):
        order = ask.order(DEVICE, NOW, lambda: "01kaw1f2800000000000000000")
        written |= dict(ask.credential(SignedOrder(order, bytes(64))))
    mpp = read_json(from_base64url(written["authorization"].removeprefix("Payment ")))
    return mpp, read_json(from_base64(written["payment-signature"]))


GOOD_MPP, GOOD_X402 = good()


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for name, item in value.items():
            found += places(item, (*path, name))
    return found


def changed(value: Any, path: tuple[Any, ...], put: Any) -> Any:
    if not path:
        return put
    return value | {path[0]: changed(value[path[0]], path[1:], put)}


def mpp_reads(value: str) -> SignedOrder | None:
    headers = {"authorization": value}
    Mpp([SECRET]).carries(headers)
    with contextlib.suppress(BadCredential):
        return Mpp([SECRET]).read(headers, terms(), NOW)
    return None


def x402_reads(value: str) -> SignedOrder | None:
    headers = {"payment-signature": value}
    with contextlib.suppress(BadCredential):
        X402().identifier(headers)
    with contextlib.suppress(BadCredential):
        return X402().read(headers, terms(), NOW)
    return None


@QUICK
@given(TEXT)
def test_arbitrary_text_in_any_field(value: str):
    assert mpp_reads(value) is None
    assert mpp_reads("Payment " + value) is None
    assert x402_reads(value) is None
    for name in ("www-authenticate", "payment-required"):
        assert client.asks([(name, value), (name, "Payment " + value)]) == []
    for name in ("payment-receipt", "payment-response"):
        client.read_receipt([(name, value)])
    with contextlib.suppress(Malformed):
        for part in fields.split(value):
            with contextlib.suppress(Malformed):
                fields.parameters(part)
        fields.without(value, "payment")


@QUICK
@given(st.binary(max_size=80) | JSON.map(lambda value: json.dumps(value).encode()))
def test_arbitrary_bytes_inside_the_envelope(raw: bytes):
    assert mpp_reads("Payment " + to_base64url(raw)) is None
    assert x402_reads(to_base64(raw)) is None
    assert client.asks([("payment-required", to_base64(raw))]) == []
    request = (
        f'id="a", realm="r", method="farthing", intent="charge", request="{to_base64url(raw)}"'
    )
    assert client.asks([("www-authenticate", f"Payment {request}")]) == []
    client.read_receipt([("payment-receipt", to_base64url(raw))])
    client.read_receipt([("payment-response", to_base64(raw))])


@QUICK
@given(st.sampled_from(places(GOOD_MPP)), JSON)
def test_a_good_mpp_credential_with_any_one_member_replaced(path: tuple[Any, ...], put: Any):
    message = changed(GOOD_MPP, path, put)
    read = mpp_reads("Payment " + to_base64url(json.dumps(message).encode()))
    if read is not None:
        assert read.order.challenge == GOOD_MPP["challenge"]["id"]
        assert read.order.amount == 1500


@QUICK
@given(st.sampled_from(["realm", "request", "expires", "digest", "opaque"]), TEXT, JSON)
def test_a_bound_challenge_with_anything_inside(slot: str, text: str, inner: Any):
    for value in (text, to_base64url(json.dumps(inner).encode())):
        challenge = GOOD_MPP["challenge"] | {slot: value}
        with contextlib.suppress(UnicodeEncodeError):
            challenge |= {"id": challenge_id(SECRET, challenge)}
        message = GOOD_MPP | {"challenge": challenge}
        mpp_reads("Payment " + to_base64url(json.dumps(message).encode()))


@QUICK
@given(st.sampled_from(places(GOOD_X402)), JSON)
def test_a_good_x402_credential_with_any_one_member_replaced(path: tuple[Any, ...], put: Any):
    message = changed(GOOD_X402, path, put)
    read = x402_reads(to_base64(json.dumps(message).encode()))
    if read is not None:
        assert read.order.amount == 1500
        assert read.order.resource == terms().resource


@QUICK
@given(st.dictionaries(st.sampled_from([*GOOD_X402, "other"]), JSON))
def test_a_facilitator_reads_any_object(message: dict[str, Any]):
    with contextlib.suppress(Malformed):
        signed_order(GOOD_X402 | message)
    with contextlib.suppress(Malformed):
        identifier_of(message)
    same_requirements(GOOD_X402["accepted"], message)


@QUICK
@given(
    st.lists(
        st.tuples(
            st.from_regex(r"\A[a-z]{1,8}\Z"),
            st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
        ),
        max_size=5,
        unique_by=lambda p: p[0],
    )
)
def test_parameters_are_read_back_as_written(pairs: list[tuple[str, str]]):
    written = ", ".join(f"{name}={fields.quoted(value)}" for name, value in pairs)
    [part] = fields.split(f"Payment {written}" if pairs else "Payment")
    assert fields.parameters(part) == dict(pairs)
