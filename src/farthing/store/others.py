"""Several hubs on one PostgreSQL server: one brings the books forward, the others wait for it.

Who does says how far it is in the name that its connection has at the server: what its transaction
writes nobody else sees before it is over, and that may take minutes. The writing lock alone does
not tell a long migration from a hub that hangs; who waits for it gives up after seconds.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from farthing.errors import Unavailable
from farthing.log_lines import Log
from farthing.store.database import Database, Tx
from farthing.store.steps import Forward, Told

log = Log("store")
T = TypeVar("T")

LOOK_SECONDS = 5.0
_SAID = "farthing forward "
_SAY = "SELECT set_config('application_name', ?, true)"
_HEAR = (
    "SELECT application_name FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name LIKE ? LIMIT 1"
)


def telling_others(tx: Tx, told: Told) -> Told:
    """Tell the other hubs as well; it is over when the transaction is."""
    if tx.dialect != "postgresql":
        return told

    def tell(at: Forward) -> None:
        tx.rows(_SAY, (_SAID + " ".join(str(number) for number in at),))
        told(at)

    return tell


def patiently(database: Database, work: Callable[[Tx], T], look_seconds: float) -> T:
    """Run `work` in a writing transaction, after any other hub has brought the books forward.

    Units:  it looks, and tells how far that is, every `look_seconds`.
    Raises: Unavailable where somebody else has the lock of the books, and keeps it.
    """
    while True:
        if _others_at_work(database):
            time.sleep(look_seconds)
            continue
        try:
            return database.transact(work)
        except Unavailable:
            if not _others_at_work(database):
                raise


def _others_at_work(database: Database) -> bool:
    if database.dialect != "postgresql":
        return False  # There one process has the file.
    for (said,) in database.stream(_HEAR, (_SAID + "%",)):
        at = Forward(*(int(number) for number in said.removeprefix(_SAID).split()))
        log.warning(
            "books.waiting_for_others",
            schema=at.schema,
            step=at.step,
            steps=at.steps,
            rows=at.rows,
            rows_in_all=at.rows_in_all,
        )
        return True
    return False
