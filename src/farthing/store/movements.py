"""Movements of which a rail has not said its last word, or which are not booked yet."""

from farthing.core.movements import LOOKS, Look
from farthing.store.database import Tx
from farthing.store.mapping import mapping


def looks_due(tx: Tx, now_ns: int, limit: int) -> list[Look]:
    """List what is to be asked about now, longest waiting first."""
    mapped = mapping(LOOKS)
    sql = f"{mapped.select} WHERE over = 0 AND next_ns <= ? ORDER BY next_ns, id LIMIT ?"
    return [mapped.row(row) for row in tx.rows(sql, (now_ns, limit))]
