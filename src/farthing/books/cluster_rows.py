"""What the books keep of a cluster: its times of their rows, and whose books these are."""

from collections.abc import Iterable

from farthing.books.base import Tx

_NAME = "cluster_books"


def insert_times(tx: Tx, times: Iterable[tuple[int, int]]) -> None:
    """Write the cluster's times, each after the book's."""
    tx.run_many("INSERT INTO cluster_times (timestamp, cluster_ns) VALUES (?, ?)", list(times))


def newest_transfer(tx: Tx) -> int:
    """Give the id of the newest transfer in the books; 0 if there is none."""
    found = tx.rows("SELECT id FROM transfers ORDER BY number DESC LIMIT 1")
    return int.from_bytes(found[0][0], "big") if found else 0


def has_transfer(tx: Tx, ident: int) -> bool:
    """Tell whether a transfer is in the books."""
    return bool(tx.rows("SELECT 1 FROM transfers WHERE id = ?", (ident.to_bytes(16, "big"),)))


def has_rows(tx: Tx) -> bool:
    """Tell whether anything is in the books that a cluster should have."""
    return bool(tx.rows("SELECT 1 FROM accounts LIMIT 1") or tx.rows("SELECT 1 FROM intents"))


def name_of_books(tx: Tx) -> int | None:
    """Give the number by which a cluster knows these books, if it was made."""
    found = tx.rows("SELECT value FROM settings WHERE name = ?", (_NAME,))
    return int(found[0][0], 16) if found else None


def name_books(tx: Tx, number: int) -> int:
    """Make the number by which a cluster is to know these books."""
    tx.run("INSERT INTO settings (name, value) VALUES (?, ?)", (_NAME, f"{number:032x}"))
    return number
