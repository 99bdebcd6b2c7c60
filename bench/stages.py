"""Which function belongs to which stage of a payment, for `make bench-profile`.

A place is a file, or a file and a function or class in it. Of a stack of calls the innermost place
that is named here says the stage, so that helpers used everywhere count for who calls them.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

Places = Mapping[str, Sequence[str]]
"""The stages of a thread, each with its places."""

_LOOP: Places = {
    "sockets (uvloop), and waiting for them": ["asyncio/runners.py"],
    "HTTP": [
        "uvicorn/protocols", "farthing/web/strict_http.py", "farthing/web/patience.py",
        "farthing/web/corked.py", "farthing/web/guard.py", "farthing/web/incoming.py",
        "farthing/web/quick_http.py", "farthing/web/plain_head.py",
    ],
    "route, limits, metrics": [
        "farthing/web/app.py", "farthing/web/api/router.py", "farthing/web/api/rates.py",
        "farthing/observe", "farthing/services/access.py", "farthing/web/trust.py",
        "farthing/sharing.py", "farthing/web/api/endpoint.py",
    ],
    "read the order": [
        "farthing/web/api/reading.py", "farthing/web/api/plain.py", "farthing/core/orders.py",
        "farthing/web/api/payments.py:signed_order", "farthing/core/batches.py",
        "farthing/web/api/batches.py:_packed", "farthing/web/api/batches.py:_written",
    ],
    "find the device": ["farthing/services/devices.py"],
    "hand over to threads and back": [
        "farthing/services/verifying.py", "farthing/books/sql.py", "asyncio/futures.py",
        "asyncio/locks.py", "farthing/threads.py", "farthing/services/event_feed.py",
        "farthing/services/signals.py", "threading.py", "farthing/books/own_process.py",
        "farthing/books/link.py", "farthing/books/wire.py",
    ],
    "verify lone signatures": ["farthing/keys.py", "farthing/services/verifying.py:first_match"],
    "write answer and receipt": [
        "farthing/web/api/shapes.py", "farthing/core/receipts.py", "farthing/core/chain.py",
        "farthing/web/problems.py", "farthing/services/payments.py:Payments.receipt",
        "farthing/web/api/telling.py:written", "farthing/web/api/batches.py:_shown",
    ],
    "use cases": [
        "farthing/web/api/payments.py", "farthing/web/api/batches.py",
        "farthing/services/payments.py", "farthing/services/batches.py", "farthing/core/paying.py",
    ],
}  # fmt: skip

_WRITER: Places = {
    "prefetch (SQL)": [
        "farthing/books/memory.py:Working.prefetch", "farthing/books/memory.py:Working._fetch",
        "farthing/books/memory.py:Working.ask_anyway", "farthing/books/foresight.py",
        "farthing/books/rows.py:fetch_accounts", "farthing/books/rows.py:fetch_transfers",
        "farthing/books/rows.py:fetch_failed", "farthing/books/rows.py:fetch_pendings",
        "farthing/books/rows.py:due_pendings", "farthing/books/rows.py:read_tip",
        "farthing/books/batch.py:_hints", "farthing/books/same_books.py",
        "farthing/books/recent.py:RecentIds.load",
    ],
    "decide": [
        "farthing/core", "farthing/books/batch.py:Batch._decide", "farthing/books/memory.py",
        "farthing/books/recent.py",
    ],
    "hash, and sign the head": [
        "farthing/core/stated.py", "farthing/core/chain.py", "farthing/core/ledger_rows.py",
        "farthing/books/batch.py:Batch._leaf", "farthing/keys.py", "farthing/hub_keys.py",
    ],
    "write (SQL)": [
        "farthing/books/batch.py:Batch._write", "farthing/books/batch.py:Batch._write_records",
        "farthing/books/batch.py:Batch._write_transfers", "farthing/books/rows.py",
        "farthing/store/mapping.py", "farthing/store/sqlite.py:SqliteTx",
        "farthing/store/sqlite_sets.py", "farthing/store/postgres_sets.py",
    ],
    "commit and fsync": ["farthing/store/sqlite.py", "farthing/store/postgres.py"],
    "proofs of the answers": ["farthing/books/batch.py:Batch._answers"],
    "note heads, tell who watches": [
        "farthing/books/sql.py", "farthing/observe", "farthing/services/heads.py",
    ],
    "wait for work": ["farthing/threads.py:_work_on", "farthing/books/inbox.py:Inbox._hear"],
    "messages of the hub": [
        "farthing/books/inbox.py", "farthing/books/wire.py", "farthing/writer_process.py",
    ],
}  # fmt: skip


WRITER = "farthing-write"
"""How the thread that writes is called, and here also the only thread of a writing process."""


class Thread(NamedTuple):
    """A kind of thread: how its name begins, its stages, and what the rest of it is called."""

    prefix: str
    shown: str
    places: Places
    rest: str


THREADS = (
    Thread("MainThread", "event loop", _LOOP, "the rest of the event loop"),
    Thread(WRITER, "writer", _WRITER, "the rest of the writer"),
    Thread("farthing-verify", "verifiers", {}, "verify signatures"),
    Thread("", "other threads", {}, "look up devices, and the rest"),
)
"""The first whose prefix fits is the one that counts."""


def thread_of(name: str) -> Thread:
    """Find the kind of a thread."""
    return next(thread for thread in THREADS if name.startswith(thread.prefix))


def stage_of(thread: Thread, calls: Sequence[tuple[str, str]]) -> str:
    """Find the stage of a stack. Shape: calls are (file, function), the innermost last."""
    for file, function in reversed(calls):
        stage = _named(thread.places, file, function)
        if stage:
            return stage
    return thread.rest


def _named(places: Places, file: str, function: str) -> str:
    """Give the stage with the most exact name of this place, or nothing."""
    best, found = "", ""
    for stage, names in places.items():
        for name in names:
            if len(name) > len(best) and _fits(name, file, function):
                best, found = name, stage
    return found


def _fits(name: str, file: str, function: str) -> bool:
    place, _, inside = name.partition(":")
    if file != place and not file.startswith(f"{place}/"):
        return False
    return not inside or function == inside or function.startswith(f"{inside}.")
