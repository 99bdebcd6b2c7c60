"""Chains, certificates and receipts: whatever is changed in one, it no longer verifies."""

import contextlib
import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.codec import canonical_json
from farthing.core.chain import (
    GENESIS,
    Proof,
    head_fault,
    leaf_digest,
    merkle_levels,
    path_from,
    paths_of,
    proof_fault,
    root_from,
    root_of,
    sign_head,
)
from farthing.core.identity import Certificate, certificate_fault, certify, read_certificate
from farthing.core.receipts import receipt_fault, receipt_json, write_receipt
from farthing.errors import Malformed
from farthing.keys import Ed25519Signer, P256Signer, fingerprint
from tests.effort import REPEATED, examples

ROOT, HEAD_KEY = Ed25519Signer(bytes(range(32))), Ed25519Signer(bytes(range(1, 33)))
OTHER = Ed25519Signer(bytes(range(2, 34)))
NOW = 1_800_000_000
HUB = fingerprint(ROOT.public)


def digests(count: int) -> list[bytes]:
    return [leaf_digest(b"%d" % i, bytes(32)) for i in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 31, 33])
def test_every_leaf_climbs_to_the_root_at_its_own_place_only(count: int):
    leaves = digests(count)
    levels = merkle_levels(leaves)
    root = root_of(levels[-1][0], count)
    together = paths_of(levels)
    for index, leaf in enumerate(leaves):
        path = path_from(levels, index)
        assert together[index] == path
        assert root_from(leaf, index, count, path) == root
        for place in range(-1, count + 1):
            if place != index:
                assert root_from(leaf, place, count, path) != root
        assert root_from(leaf, index, count, [*path, bytes(32)]) is None
        if path:
            assert root_from(leaf, index, count, path[:-1]) is None


def test_the_number_of_leaves_is_bound_to_the_root():
    """A node that moved up alone is no leaf of a smaller tree."""
    levels = merkle_levels(digests(3))
    root = root_of(levels[-1][0], 3)
    assert root_of(levels[-1][0], 2) != root
    inner = levels[1][0]
    assert root_from(inner, 0, 2, [levels[1][1]]) != root


def make(index: int = 1, count: int = 3, signer: Any = HEAD_KEY) -> dict[str, Any]:
    """Write the receipt of one of several payments of a commit."""
    return write_receipt(*parts(index, count, signer))


def parts(
    index: int = 1, count: int = 3, signer: Any = HEAD_KEY, **members: str
) -> tuple[Proof, Certificate]:
    """Make what a receipt is written of."""
    stated = {"hub": HUB, "payment": "pay_1", "captured": "1500"} | members
    statement = canonical_json(stated)
    leaves = digests(count)
    leaves[index] = leaf_digest(statement, bytes(32))
    levels = merkle_levels(leaves)
    root = root_of(levels[-1][0], count)
    head = sign_head(signer, "main", 7, GENESIS, root, count, NOW * 10**9)
    proof = Proof(statement, bytes(32), index, path_from(levels, index), head)
    assert proof_fault(proof) is None
    return proof, certify(ROOT, signer.public, NOW - 10)


@given(st.integers(1, 40), st.data())
def test_a_receipt_is_the_same_text_however_it_is_written(count: int, data: Any):
    index = data.draw(st.integers(0, count - 1))
    resource = data.draw(st.text(st.characters(codec="utf-8"), max_size=20))
    proof, certificate = parts(index, count, resource=resource)
    written = receipt_json(proof, certificate)
    assert written == msgspec.json.encode(write_receipt(proof, certificate))


def test_a_receipt_verifies_with_nothing_but_the_root_key():
    assert receipt_fault(make(), ROOT.public) is None
    assert receipt_fault(make(0, 1), ROOT.public) is None
    assert receipt_fault(make(signer=P256Signer(bytes(range(1, 33)))), ROOT.public) is None


def test_a_receipt_of_another_hub_does_not_verify():
    assert receipt_fault(make(), OTHER.public) is not None
    receipt = make()
    forged = certify(OTHER, HEAD_KEY.public, NOW - 10).members()
    assert "hub" in (receipt_fault(receipt | {"certificate": forged}, ROOT.public) or "")
    forged["hub"] = HUB
    fault = receipt_fault(receipt | {"certificate": forged}, ROOT.public)
    assert fault == "the certificate is wrong: it is not signed by the hub's root key"


def test_a_head_signed_before_its_key_was_certified_does_not_verify():
    late = certify(ROOT, HEAD_KEY.public, NOW + 1).members()
    fault = receipt_fault(make() | {"certificate": late}, ROOT.public)
    assert fault == "the head is older than the key's certificate"


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List every place of a JSON value that holds a text."""
    if isinstance(value, dict):
        return [place for name in value for place in places(value[name], (*at, name))]
    if isinstance(value, list):
        return [place for i, item in enumerate(value) for place in places(item, (*at, i))]
    return [at]


@pytest.mark.parametrize("place", places(make()), ids=str)
def test_whatever_is_changed_in_a_receipt_it_no_longer_verifies(place: tuple[Any, ...]):
    for change in ("1", "", "x", "99999999999999999999", 5, None, 1.5, [], {}, "\ud800"):
        receipt = copy.deepcopy(make())
        holder: Any = receipt
        for step in place[:-1]:
            holder = holder[step]
        if holder[place[-1]] == change:
            continue
        holder[place[-1]] = change
        with contextlib.suppress(Malformed):
            assert receipt_fault(receipt, ROOT.public) is not None, change


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)


@settings(max_examples=examples(200), deadline=None, derandomize=REPEATED, database=None)
@given(
    st.fixed_dictionaries(
        {
            "version": st.just("farthing-receipt-1"),
            "statement": JSON,
            "proof": JSON | st.fixed_dictionaries({"head": JSON, "path": JSON}),
            "certificate": JSON | st.just(certify(ROOT, HEAD_KEY.public, NOW).members()),
        }
    )
)
def test_no_receipt_whatever_is_more_than_malformed_or_false(receipt: dict[str, Any]):
    with contextlib.suppress(Malformed):
        assert receipt_fault(receipt, ROOT.public) is not None


def test_a_certificate_is_read_back_as_it_was_written():
    made = certify(ROOT, HEAD_KEY.public, NOW)
    assert read_certificate(made.members()) == made
    assert certificate_fault(made, ROOT.public) is None
    for name in made.members():
        spoilt = made.members() | {name: "x"}
        try:
            assert certificate_fault(read_certificate(spoilt), ROOT.public) is not None
        except Malformed as fault:
            assert fault.code == "malformed-certificate"


def test_a_head_says_what_is_wrong_with_it():
    head = sign_head(HEAD_KEY, "main", 1, GENESIS, bytes(32), 1, NOW)
    assert head_fault(head) is None
    assert "digest" in (head_fault(msgspec.structs.replace(head, number=2)) or "")
    forged = sign_head(OTHER, "main", 1, GENESIS, bytes(32), 1, NOW)
    stolen = msgspec.structs.replace(head, signature=forged.signature)
    assert "signature" in (head_fault(stolen) or "")
