"""The meter book: one SQLite file in which a payee keeps its meters, synced before it serves.

The file has one writer, held by a lock: two sellers that counted apart would serve one promise
twice. What `keep` was given is on disk when it returns, and survives `kill -9` and a power cut.
"""

from collections.abc import Sequence
from pathlib import Path

from farthing.core.meters import METERS, Meter
from farthing.store.database import Tx
from farthing.store.mapping import mapping
from farthing.store.sqlite import SqliteDatabase
from farthing.threads import Threads

_TABLE = """
CREATE TABLE IF NOT EXISTS meters (
    session TEXT PRIMARY KEY, device TEXT NOT NULL, payee TEXT NOT NULL, asset TEXT NOT NULL,
    key TEXT NOT NULL, tariff TEXT NOT NULL, purpose TEXT NOT NULL, deposit INTEGER NOT NULL,
    ends_ns INTEGER NOT NULL, closes_ns INTEGER NOT NULL, units INTEGER NOT NULL,
    sequence INTEGER NOT NULL, voucher BLOB NOT NULL, handed INTEGER NOT NULL,
    count INTEGER NOT NULL, part INTEGER NOT NULL, stopped TEXT NOT NULL,
    ticks INTEGER NOT NULL DEFAULT 0, tick BLOB NOT NULL DEFAULT x''
) STRICT
"""
_ADDED = {"ticks": "INTEGER NOT NULL DEFAULT 0", "tick": "BLOB NOT NULL DEFAULT x''"}
"""Columns that a file which was begun by an earlier version has not."""


class MeterBook:
    """Meters on disk.

    Raises: Unavailable `store-locked` where another process meters with this file; BadConfig.
    """

    def __init__(self, path: Path, readers: Threads) -> None:
        self._database = SqliteDatabase(path, readers)
        self._database.transact(_begin)

    def all(self) -> list[Meter]:
        """Read every meter."""

        def work(tx: Tx) -> list[Meter]:
            mapped = mapping(METERS)
            return [mapped.row(values) for values in tx.rows(mapped.select)]

        return self._database.transact(work)

    def keep(self, meters: Sequence[Meter], over: Sequence[str] = ()) -> None:
        """Keep meters as they are now, and forget sessions that are over; one sync for all."""

        def work(tx: Tx) -> None:
            if meters:
                tx.put(METERS, meters)
            tx.run_many("DELETE FROM meters WHERE session = ?", [(each,) for each in over])

        self._database.transact(work)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


def _begin(tx: Tx) -> None:
    tx.run(_TABLE)
    columns = {name for (name,) in tx.rows("SELECT name FROM pragma_table_info('meters')")}
    for name, kind in _ADDED.items():
        if name not in columns:
            tx.run(f"ALTER TABLE meters ADD COLUMN {name} {kind}")
