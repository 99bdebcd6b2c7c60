"""Vouchers: one spelling each, bound to what was agreed, read as strictly as written."""

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.core.ticks import LADDER_TICKS_MAX, Ladder
from farthing.core.vouchers import (
    BYTES_MAX,
    EXPIRY_MAX,
    SEQUENCE_MAX,
    Agreed,
    Claims,
    key_hint,
    read_voucher,
    session_alias,
    sign_voucher,
    write_claims,
)
from farthing.errors import Malformed
from farthing.keys import Ed25519Signer, P256Signer, verify
from farthing.money import UNITS_MAX
from tests.core.voucher_in_general import read_in_general

SIGNERS = [Ed25519Signer(bytes(range(32))), P256Signer(bytes(range(1, 33)))]
AGREED = Agreed("ses_" + "0" * 26, "acc_" + "1" * 26, "USD", bytes(range(32)))
CLAIMS = Claims(b"8 bytes!", 123_456, 77, 1_800_000_000)

anchors = st.binary(min_size=16, max_size=16)
ladders = st.builds(Ladder, anchors, st.integers(1, 2**40), st.integers(1, LADDER_TICKS_MAX))
aliases = st.binary(min_size=8, max_size=8)
numbers = (st.integers(0, SEQUENCE_MAX), st.integers(0, EXPIRY_MAX))
claims = st.one_of(
    st.builds(Claims, aliases, st.integers(1, UNITS_MAX), *numbers, st.none()),
    st.builds(Claims, aliases, st.integers(0, 2**62), *numbers, ladders),
)


def holds(signer, raw, agreed=AGREED):
    """Tell whether a voucher is signed by this key under what was agreed."""
    voucher = read_voucher(raw)
    algorithm = signer.public.partition(":")[0]
    message = voucher.signed_bytes(agreed)
    return voucher.is_for(algorithm) and verify(signer.public, voucher.signature, message)


@pytest.mark.parametrize("signer", SIGNERS)
@settings(deadline=None)
@given(claims=claims)
def test_what_is_signed_is_read_and_holds(signer, claims):
    raw = sign_voucher(signer, AGREED, claims)
    assert read_voucher(raw).claims == claims
    assert read_voucher(raw).key_hint == key_hint(signer.public)
    assert holds(signer, raw)
    assert len(raw) <= BYTES_MAX


@pytest.mark.parametrize("signer", SIGNERS)
def test_an_everyday_voucher_fits_a_small_tag_and_one_write_over_the_air(signer):
    assert len(sign_voucher(signer, AGREED, CLAIMS)) <= 109


@pytest.mark.parametrize("signer", SIGNERS)
@given(claims=claims)
@pytest.mark.rule("rfc9052.cose", on="hub")
def test_it_is_cose_and_deterministic_cbor_to_who_reads_it_with_a_library(signer, claims):
    raw = sign_voucher(signer, AGREED, claims)
    protected, unprotected, payload, signature = cbor2.loads(raw)
    said = {1: claims.alias, 2: claims.units, 3: claims.sequence, 4: claims.expiry}
    if claims.ladder is not None:
        said |= dict(zip((5, 6, 7), claims.ladder, strict=True))
    assert cbor2.loads(payload) == said
    assert dict(unprotected) == {4: key_hint(signer.public)}
    assert cbor2.dumps([protected, unprotected, payload, signature], canonical=True) == raw
    along = cbor2.dumps(["farthing-voucher-1", *AGREED])
    message = cbor2.dumps(["Signature1", protected, along, payload])
    assert verify(signer.public, signature, message)


@pytest.mark.parametrize("signer", SIGNERS)
def test_no_changed_byte_is_taken_for_the_same_voucher(signer):
    raw = sign_voucher(signer, AGREED, CLAIMS)
    for place in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[place] ^= 1 << bit
            try:
                voucher = read_voucher(bytes(changed))
            except Malformed:
                continue
            hint_alone = voucher.key_hint != key_hint(signer.public)
            assert hint_alone or not holds(signer, bytes(changed)), (place, bit)


@pytest.mark.parametrize("part", range(4))
def test_a_voucher_holds_under_no_other_terms(part):
    raw = sign_voucher(SIGNERS[0], AGREED, CLAIMS)
    other = list(AGREED)
    other[part] = bytes(32) if part == 3 else other[part][:-1] + "2"
    assert not holds(SIGNERS[0], raw, Agreed(*other))


def test_a_signature_of_one_algorithm_is_none_of_the_other():
    raw = sign_voucher(SIGNERS[0], AGREED, CLAIMS)
    assert not holds(SIGNERS[1], raw)
    assert not holds(SIGNERS[0], raw.replace(b"\xa1\x01\x27", b"\xa1\x01\x26"))


@given(st.binary(max_size=200))
def test_nonsense_is_malformed_and_nothing_else(raw):
    with pytest.raises(Malformed):
        read_voucher(raw)


def _spelled(**more):
    signer = SIGNERS[0]
    good = sign_voucher(signer, AGREED, CLAIMS)
    protected, unprotected, payload, signature = cbor2.loads(good)
    parts = {
        "protected": protected,
        "unprotected": dict(unprotected),
        "payload": payload,
        "signature": signature,
    } | more
    return cbor2.dumps(list(parts.values()))


def _laddered(units=0, anchor=bytes(16), each=1, most=9):
    said = {1: b"8 bytes!", 2: units, 3: 1, 4: 1, 5: anchor, 6: each, 7: most}
    return cbor2.dumps(said)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        cbor2.dumps(cbor2.CBORTag(18, cbor2.loads(_spelled()))),
        _spelled() + b"\0",
        _spelled(unprotected={}),
        _spelled(unprotected={4: b"123"}),
        _spelled(unprotected={4: b"1234", 5: 1}),
        _spelled(protected=b""),
        _spelled(protected=cbor2.dumps({1: -8, 4: b"x"})),
        _spelled(protected=cbor2.dumps({1: -37})),
        _spelled(payload=cbor2.dumps({1: b"8 bytes!", 2: 5, 3: 1})),
        _spelled(payload=cbor2.dumps({2: 5, 1: b"8 bytes!", 3: 1, 4: 1})),
        _spelled(payload=cbor2.dumps({1: b"8 bytes!", 2: 5, 3: 1, 4: 1, 5: 1})),
        _spelled(payload=cbor2.dumps({1: b"7 bytes", 2: 5, 3: 1, 4: 1})),
        _spelled(payload=cbor2.dumps({1: b"8 bytes!", 2: -5, 3: 1, 4: 1})),
        _spelled(payload=cbor2.dumps({1: b"8 bytes!", 2: 5.0, 3: 1, 4: 1})),
        _spelled(payload=cbor2.dumps({1: b"8 bytes!", 2: True, 3: 1, 4: 1})),
        _spelled(payload=cbor2.dumps({1: b"8 bytes!", 2: 0, 3: 1, 4: 1})),
        _spelled(payload=cbor2.dumps({1: b"8 bytes!", 2: 2**63, 3: 1, 4: 1})),
        _spelled(payload=cbor2.dumps({1: b"8 bytes!", 2: 2**64, 3: 1, 4: 1})),
        _spelled(payload=cbor2.dumps({1: b"8 bytes!", 2: 5, 3: 2**53, 4: 1})),
        _spelled(payload=cbor2.dumps({1: b"8 bytes!", 2: 5, 3: 1, 4: 2**53})),
        _spelled(payload=b"\xa4\x01\x488 bytes!\x02\x18\x05\x03\x01\x04\x01"),
        _spelled(payload=b"\xbf\x01\x488 bytes!\x02\x05\x03\x01\x04\x01\xff"),
        _spelled(payload=_laddered()[:-1]),
        _spelled(payload=_laddered(anchor=bytes(15))),
        _spelled(payload=_laddered(each=0)),
        _spelled(payload=_laddered(most=0)),
        _spelled(payload=_laddered(most=LADDER_TICKS_MAX + 1)),
        _spelled(payload=_laddered(units=2**63 - 1)),
        _spelled(payload=_laddered(each=2**63 - 1)),
        _spelled(payload=cbor2.dumps({1: b"8 bytes!", 2: 0, 3: 1, 4: 1, 5: bytes(16), 6: 1})),
        _spelled(signature=bytes(63)),
        _spelled(signature=bytes(65)),
    ],
)
@pytest.mark.rule("rfc9052.cose", "trap.cbor", on="hub")
def test_whatever_only_means_the_same_is_refused(raw):
    with pytest.raises(Malformed) as raised:
        read_voucher(raw)
    assert raised.value.code == "malformed-voucher"


any_ladders = st.builds(
    Ladder,
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
)
numbers = st.one_of(
    st.integers(0, 2**64 - 1),
    st.sampled_from([2**n + d for n in (0, 5, 8, 16, 32, 53, 63) for d in (-1, 0, 1)]),
)
any_claims = st.builds(
    Claims, st.binary(min_size=8, max_size=8), numbers, numbers, numbers, st.none() | any_ladders
)
edits = st.lists(
    st.tuples(
        st.integers(0, 200),
        st.sampled_from([0, 1, 2]),
        st.sampled_from([b"", b"\0", b"\x01", b"\x18", b"\x19\0", b"\x1b", b"\x58", b"\xf5"])
        | st.binary(max_size=3),
    ),
    max_size=3,
)


@given(claims=any_claims, es256=st.booleans(), edits=edits)
@pytest.mark.rule("rfc9052.cose", "trap.cbor", on="hub")
def test_its_shape_and_a_general_library_agree_on_every_spelling(claims, es256, edits):
    protected = b"\xa1\x01\x26" if es256 else b"\xa1\x01\x27"
    said = [protected, {4: b"hint"}, write_claims(claims), b"s" * 64]
    raw = cbor2.dumps(said)
    for at, gone, come in edits:
        raw = raw[:at] + come + raw[at + gone :]
    try:
        read = read_voucher(raw).claims
    except Malformed:
        read = None
    assert read == read_in_general(raw)


def _spelled(payload):
    return cbor2.dumps([b"\xa1\x01\x27", {4: b"hint"}, payload, b"s" * 64])


FOUR = {1: b"a" * 8, 2: 300, 3: 2, 4: 1_800_000_000}
SEVEN = FOUR | {5: b"v" * 16, 6: 5, 7: 100}


@pytest.mark.parametrize("said", [FOUR, SEVEN])
def test_the_head_of_the_claims_counts_what_is_there(said):
    payload = cbor2.dumps(said)
    other = (b"\xa7" if payload[:1] == b"\xa4" else b"\xa4") + payload[1:]
    assert read_voucher(_spelled(payload)).claims == read_in_general(_spelled(payload))
    assert read_in_general(_spelled(other)) is None
    with pytest.raises(Malformed):
        read_voucher(_spelled(other))


@pytest.mark.parametrize("said", [FOUR, SEVEN])
@pytest.mark.parametrize("longer", [b"\x18\x02", b"\x19\x00\x02", b"\x1b" + b"\0" * 7 + b"\x02"])
def test_a_number_is_written_in_its_shortest_form(said, longer):
    payload = cbor2.dumps(said)
    other = payload.replace(b"\x03\x02\x04", b"\x03" + longer + b"\x04")
    assert other != payload
    assert read_in_general(_spelled(other)) is None
    with pytest.raises(Malformed):
        read_voucher(_spelled(other))


def test_sessions_have_aliases_of_their_own():
    assert len({session_alias(n) for n in range(1000)}) == 1000
