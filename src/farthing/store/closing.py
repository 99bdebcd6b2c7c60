"""Books in PostgreSQL that were moved elsewhere: the server takes no row of them from any hub.

A hub on another machine may be running, or may be started by its service, with the settings of
before. So it is the database that refuses, by a constraint that nothing can meet: it costs no
commit a question, holds over restarts and fail-overs, and older versions meet it as well.
"""

from farthing.errors import Unavailable
from farthing.store.database import Tx
from farthing.store.schema import tables_of

CLOSED = "books_moved"

_CLOSED = """
    SELECT c.relname::text FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
      WHERE k.conname = ? AND c.relnamespace = to_regnamespace(current_schema()) ORDER BY 1
"""


def moved() -> Unavailable:
    """Make the problem that whoever writes to closed books is told."""
    return Unavailable(
        "books-moved", "these books were moved elsewhere, or are being moved, and take nothing more"
    )


def close_books(tx: Tx) -> bool:
    """Let no hub write to these books any more, and tell whether they were open until now."""
    if _closed(tx):
        return False
    for table in sorted(tables_of(tx) - {"migrations"}):
        tx.run(f"ALTER TABLE {table} ADD CONSTRAINT {CLOSED} CHECK (false) NOT VALID")
    return True


def reopen_books(tx: Tx) -> bool:
    """Let hubs write to these books again, and tell whether they were closed until now."""
    closed = _closed(tx)
    for table in closed:
        tx.run(f"ALTER TABLE {table} DROP CONSTRAINT {CLOSED}")
    return bool(closed)


def check_open(tx: Tx) -> None:
    """Refuse books that were closed: nobody can pay on them.

    Raises: Unavailable `books-moved`.
    """
    if _closed(tx):
        raise moved()


def _closed(tx: Tx) -> list[str]:
    """Name the tables that take no row."""
    return [name for (name,) in tx.rows(_CLOSED, (CLOSED,))] if tx.dialect == "postgresql" else []
