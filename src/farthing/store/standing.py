"""How the books stand: a few figures for who watches, none of which walks over a whole table."""

from typing import NamedTuple

from farthing.store.cases import waiting
from farthing.store.database import Tx


class Standing(NamedTuple):
    """Figures of one moment. Units: `hold_ends_ns` is the earliest end of an open hold, or 0."""

    schema: int
    commits: int
    holds: int
    hold_ends_ns: int
    asks: int
    bytes: int
    cases: dict[str, int]


def read_standing(tx: Tx, dialect: str) -> Standing:
    """Read how the books stand.

    Shape: `bytes` is 0 on SQLite, whose files tell more than its pages.
    """
    schema = tx.rows("SELECT MAX(number) FROM migrations")[0][0]
    commits = tx.rows("SELECT COALESCE(MAX(number), 0) FROM commits")[0][0]
    holds, ends = tx.rows(
        "SELECT COUNT(*), COALESCE(MIN(hold_ends_ns), 0) FROM payments WHERE state = 'held'"
    )[0]
    asks = tx.rows("SELECT COUNT(*) FROM payments WHERE state = 'awaiting'")[0][0]
    size = 0
    if dialect == "postgresql":
        size = tx.rows("SELECT pg_database_size(current_database())")[0][0]
    return Standing(schema, commits, holds, ends, asks, size, waiting(tx))


def books_time_ns(tx: Tx) -> int:
    """Give the books' time after the newest commit, 0 before the first."""
    newest = tx.rows("SELECT last_ns FROM commits ORDER BY number DESC LIMIT 1")
    return newest[0][0] if newest else 0
