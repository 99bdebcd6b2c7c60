"""Looking into the history: proofs of old statements, and heads."""

from farthing.core.chain import Head, Proof, merkle_levels, path_from
from farthing.core.kept_statements import stated
from farthing.store.database import Tx

_HEAD = "number, chain, previous, root, leaves, time_ns, digest, signing_key, signature"


def proof_of(tx: Tx, leaf: int) -> Proof | None:
    """Rebuild the proof of a leaf from the leaves of its commit."""
    rows = tx.rows(
        "SELECT commit_number, subject, statement, rows_digest FROM leaves WHERE number = ?",
        (leaf,),
    )
    if not rows:
        return None
    commit, subject, kept, rows_digest = rows[0]
    [head_row] = tx.rows(f"SELECT {_HEAD}, first_leaf FROM commits WHERE number = ?", (commit,))  # noqa: S608
    head, first = Head(*head_row[:9]), head_row[9]
    digests = [
        row[0]
        for row in tx.rows(
            "SELECT digest FROM leaves WHERE number >= ? AND number < ? ORDER BY number",
            (first, first + head.leaves),
        )
    ]
    path = path_from(merkle_levels(digests), leaf - first)
    return Proof(stated(subject, kept), rows_digest, leaf - first, path, head)


def newest_head(tx: Tx) -> Head | None:
    """Read the newest head."""
    rows = tx.rows(f"SELECT {_HEAD} FROM commits ORDER BY number DESC LIMIT 1")  # noqa: S608
    return Head(*rows[0]) if rows else None


def head_digest(tx: Tx, number: int) -> bytes | None:
    """Read the digest of the head with this number."""
    rows = tx.rows("SELECT digest FROM commits WHERE number = ?", (number,))
    return rows[0][0] if rows else None
