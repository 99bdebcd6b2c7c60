"""Statements come back from what is kept of them as they were, byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing import ids
from farthing.codec import to_base64url
from farthing.core.kept_statements import kept_form, stated

NUMBERS = st.integers(0, 2**128 - 1)
DIGESTS = st.binary(min_size=32, max_size=32).map(to_base64url)
UNITS = st.integers(0, 2**63 - 1).map(str)
HUBS = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=32, max_size=32)
HUB = "olzmu7tsyq5tprwyt2ypaunthy27yasj"

PLAIN = {
    "amount": "1500", "asset": "USD", "captured": "1500", "device": ids.name("dev", 11),
    "hub": HUB, "kind": "payment", "money": "test", "order": to_base64url(bytes(32)),
    "payee": ids.name("acc", 12), "payer": ids.name("acc", 13), "payment": ids.name("pay", 256),
    "reason": "", "record": to_base64url(b"\xff" * 32), "refunded": "0", "state": "captured",
}  # fmt: skip


def written(said: dict[str, str]) -> bytes:
    return ("{" + ",".join(f'"{name}":"{value}"' for name, value in said.items()) + "}").encode()


def back(subject: int, statement: bytes) -> bytes:
    return stated(subject.to_bytes(16, "big"), kept_form(subject, statement))


@given(
    payment=NUMBERS, sides=st.tuples(NUMBERS, NUMBERS, NUMBERS),
    digests=st.tuples(DIGESTS, DIGESTS), units=st.tuples(UNITS, UNITS, UNITS), hub=HUBS,
    state=st.sampled_from(["captured", "held", "voided", "expired", "awaiting"]),
    asset=st.sampled_from(["USD", "EUR", "X", "X402TEST"]),
)  # fmt: skip
def test_a_payments_statement_is_kept_short_and_comes_back(
    payment, sides, digests, units, hub, state, asset
):
    device, payee, payer = sides
    statement = written(
        PLAIN
        | {"device": ids.name("dev", device), "payee": ids.name("acc", payee)}
        | {"payer": ids.name("acc", payer), "payment": ids.name("pay", payment), "hub": hub}
        | {"order": digests[0], "record": digests[1], "asset": asset, "state": state}
        | dict(zip(("amount", "captured", "refunded"), units, strict=True))
    )
    assert len(kept_form(payment, statement)) < len(statement) - 230
    assert back(payment, statement) == statement


def test_the_usual_charge_is_kept_in_157_bytes():
    statement = written(PLAIN)
    assert (len(statement), len(kept_form(256, statement))) == (444, 157)
    assert back(256, statement) == statement


@pytest.mark.parametrize(
    "other",
    [
        {"reason": "asked"}, {"money": "real"}, {"amount": ""}, {"amount": "-1"}, {"asset": "US,D"},
        {"device": ids.name("acc", 11)}, {"device": "dev_" + "8" + "0" * 25},
        {"device": ids.name("dev", 11).upper()}, {"payment": ids.name("pay", 255)},
        {"order": "A" * 42 + "B"}, {"record": "A" * 44}, {"hub": "b" * 31}, {"hub": "1" * 32},
        {"hub": HUB.upper()}, {"state": "Captured"}, {"also": "this"},
    ],
)  # fmt: skip
def test_any_other_statement_is_kept_as_it_is(other):
    statement = written(PLAIN | other)
    assert kept_form(256, statement) == statement
    assert back(256, statement) == statement


@given(st.binary(max_size=200), st.sampled_from([b"", b"{", b'{"amount":"1"', written(PLAIN)]))
def test_whatever_is_stated_comes_back(tail, start):
    if not start.startswith(b"{") and tail.startswith(b"\x01"):
        tail = b"{" + tail  # A statement is JSON, or empty.
    assert back(256, start + tail) == start + tail


def test_no_two_kept_forms_give_the_same_statement():
    """So that each changed byte of one is a changed statement, which its leaf's digest refuses."""
    kept, subject = kept_form(256, written(PLAIN)), (256).to_bytes(16, "big")
    for place in range(1, len(kept)):
        other = kept[:place] + bytes((kept[place] ^ 1,)) + kept[place + 1 :]
        try:
            found = stated(subject, other)
        except ValueError:
            continue
        assert found != written(PLAIN)


@pytest.mark.parametrize(
    "kept", [b"\x01", b"\x01" + bytes(140), b"\x01" + bytes(132) + b"1,1,0,USD"]
)
def test_what_is_kept_in_no_known_form_is_refused(kept):
    with pytest.raises(ValueError, match="no form known"):
        stated(bytes(16), kept)
