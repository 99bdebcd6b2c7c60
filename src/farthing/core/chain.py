"""The history's one signed format: leaves, a Merkle root per commit, and a chain of heads.

A leaf covers one unit: its public statement and a digest of the ledger rows it made. A commit's
head covers the previous head, the root over its leaves, their count and the book's time, and is
signed once. So a receipt is a leaf, its path to the root, and the signed head; a payment
committed alone has an empty path.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from farthing.clock import write_time_ns
from farthing.codec import canonical_json, from_base64url, to_base64url, to_url
from farthing.errors import Malformed
from farthing.keys import Signer, verify
from farthing.money import parse_units

_LEAF, _NODE, _ROOT = b"\x00farthing-leaf-1", b"\x01farthing-node-1", b"\x02farthing-root-1"
HEAD_DOMAIN = b"farthing-head-1\n"
GENESIS = bytes(32)


class Head(msgspec.Struct, frozen=True):
    """The signed head of one commit: everything before it is fixed by it.

    Units: `time_ns` is the book's time; `previous`, `root` and `digest` are 32 bytes.
    """

    number: int
    chain: str
    previous: bytes
    root: bytes
    leaves: int
    time_ns: int
    digest: bytes
    key: str
    signature: bytes


class Proof(msgspec.Struct, frozen=True):
    """Why a statement is in the history: its place, the path to the root, and the signed head."""

    statement: bytes
    rows_digest: bytes
    index: int
    path: list[bytes]
    head: Head


def leaf_digest(statement: bytes, rows_digest: bytes) -> bytes:
    """Hash one unit's statement and rows, apart from every other kind of hash."""
    inner = hashlib.sha256(statement).digest()
    return hashlib.sha256(_LEAF + inner + rows_digest).digest()


def merkle_levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Hash leaves pairwise up to one node; a node without a neighbour moves up unchanged."""
    level = list(leaves)
    levels = [level]
    sha = hashlib.sha256
    while len(level) > 1:
        paired = [
            sha(_NODE + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)
        ]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
        levels.append(level)
    return levels


def root_of(top: bytes, count: int) -> bytes:
    """Bind the number of leaves to the topmost node."""
    return hashlib.sha256(_ROOT + count.to_bytes(8, "big") + top).digest()


def path_from(levels: Sequence[Sequence[bytes]], index: int) -> list[bytes]:
    """Collect the neighbours a leaf needs on its way to the root."""
    path: list[bytes] = []
    for level in levels[:-1]:
        neighbour = index ^ 1
        if neighbour < len(level):
            path.append(level[neighbour])
        index //= 2
    return path


def paths_of(levels: Sequence[Sequence[bytes]]) -> list[list[bytes]]:
    """Collect the paths of all leaves, from the root down: what `path_from` gives for each."""
    paths: list[list[bytes]] = [[]]
    for level in reversed(levels[:-1]):
        paired = len(level) & ~1
        below: list[list[bytes]] = []
        for i in range(0, paired, 2):
            on = paths[i // 2]
            below += ([level[i + 1], *on], [level[i], *on])
        if paired < len(level):
            below.append(paths[-1])
        paths = below
    return paths


def root_from(leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """Climb from a leaf to the root; None when the path does not fit the place."""
    if not 0 <= index < count:
        return None
    node, width, neighbours = leaf, count, iter(path)
    while width > 1:
        if index ^ 1 < width:
            neighbour = next(neighbours, None)
            if neighbour is None:
                return None
            pair = neighbour + node if index % 2 else node + neighbour
            node = hashlib.sha256(_NODE + pair).digest()
        index //= 2
        width = (width + 1) // 2
    return None if next(neighbours, None) is not None else root_of(node, count)


def head_bytes(chain: str, number: int, previous: bytes, root: bytes, count: int, ns: int) -> bytes:
    """Give the bytes that are hashed into a head's digest and signed."""
    return HEAD_DOMAIN + canonical_json(
        {
            "chain": chain,
            "leaves": str(count),
            "number": str(number),
            "previous": to_base64url(previous),
            "root": to_base64url(root),
            "time": str(ns),
        }
    )


def sign_head(
    signer: Signer, chain: str, number: int, previous: bytes, root: bytes, count: int, ns: int
) -> Head:
    """Make the head of the next commit."""
    message = head_bytes(chain, number, previous, root, count, ns)
    return Head(
        number=number,
        chain=chain,
        previous=previous,
        root=root,
        leaves=count,
        time_ns=ns,
        digest=hashlib.sha256(message).digest(),
        key=signer.public,
        signature=signer.sign(message),
    )


def head_fault(head: Head) -> str | None:
    """Say what is wrong with a head by itself: its digest or its signature."""
    message = head_bytes(
        head.chain, head.number, head.previous, head.root, head.leaves, head.time_ns
    )
    if hashlib.sha256(message).digest() != head.digest:
        return "its digest is not that of its content"
    if not verify(head.key, head.signature, message):
        return "its signature does not verify"
    return None


def proof_fault(proof: Proof) -> str | None:
    """Say what is wrong with a proof, apart from whether the hub may speak with that key."""
    leaf = leaf_digest(proof.statement, proof.rows_digest)
    if root_from(leaf, proof.index, proof.head.leaves, proof.path) != proof.head.root:
        return "the statement is not under the head's root"
    fault = head_fault(proof.head)
    return None if fault is None else f"the head is wrong: {fault}"


def write_proof(proof: Proof) -> dict[str, Any]:
    """Write a proof as JSON members."""
    return {
        "rows": to_base64url(proof.rows_digest),
        "index": str(proof.index),
        "path": [to_base64url(node) for node in proof.path],
        "head": dict(_head_members(proof.head)),
    }


def proof_json(proof: Proof) -> bytes:
    """Write a proof as JSON text."""
    path = b",".join([b'"%b"' % to_url(node) for node in proof.path])
    return b'{"rows":"%b","index":"%d","path":[%b],"head":%b}' % (
        to_url(proof.rows_digest),
        proof.index,
        path,
        _head_json(proof.head),
    )


@lru_cache(maxsize=16)
def _head_json(head: Head) -> bytes:
    """Write a head, once for all the receipts of its commit."""
    return msgspec.json.encode(_head_members(head))


@lru_cache(maxsize=16)
def _head_members(head: Head) -> dict[str, str]:
    """Write a head, once for all the receipts of its commit."""
    return {
        "chain": head.chain,
        "number": str(head.number),
        "previous": to_base64url(head.previous),
        "root": to_base64url(head.root),
        "leaves": str(head.leaves),
        "time": str(head.time_ns),
        "committed_at": write_time_ns(head.time_ns),
        "key": head.key,
        "signature": to_base64url(head.signature),
    }


def read_proof(statement: bytes, members: dict[str, Any]) -> Proof:
    """Read a proof from JSON members.

    Raises: Malformed `malformed-receipt`.
    """
    try:
        head = members["head"]
        number, count, ns = (_whole(head[name]) for name in ("number", "leaves", "time"))
        previous, root = from_base64url(head["previous"]), from_base64url(head["root"])
        message = head_bytes(head["chain"], number, previous, root, count, ns)
        if head.get("committed_at", write_time_ns(ns)) != write_time_ns(ns):
            raise ValueError("committed_at")
        return Proof(
            statement=statement,
            rows_digest=from_base64url(members["rows"]),
            index=_whole(members["index"]),
            path=[from_base64url(node) for node in members["path"]],
            head=Head(
                number=number,
                chain=head["chain"],
                previous=previous,
                root=root,
                leaves=count,
                time_ns=ns,
                digest=hashlib.sha256(message).digest(),
                key=head["key"],
                signature=from_base64url(head["signature"]),
            ),
        )
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, Malformed) as problem:
        raise Malformed(
            "malformed-receipt", f"the receipt's proof lacks or spoils {problem}"
        ) from None


def _whole(text: str) -> int:
    return parse_units(text)  # One spelling only, and no larger than 63 bits.
