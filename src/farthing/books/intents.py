"""What is about to be posted to a cluster, whole: rows, records and statements of one commit.

It is written before anything is posted and deleted with the outcome, so at most one is there.
Whoever finds it after a crash can end the commit with nothing but this and the cluster. Where
several hubs write, it is also what stops them: nobody decides while one is there, and only he
writes an outcome who finds his own.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from farthing.books.base import Tx
from farthing.core.accounts import ACCOUNTS, ASSETS
from farthing.core.addresses import NOTICE_PACES
from farthing.core.asks import ASKS
from farthing.core.cases import CASES
from farthing.core.devices import DEVICES, INVITATIONS
from farthing.core.events import Event
from farthing.core.idempotency import IDEMPOTENCY
from farthing.core.identities import IDENTITIES
from farthing.core.identity import CERTIFICATES
from farthing.core.leases import LEASES
from farthing.core.ledger import Account, Transfer
from farthing.core.ledger_rows import read_account, read_row
from farthing.core.listeners import ADDRESSES, LISTENERS, NOTICE_LANES
from farthing.core.mandates import MANDATES
from farthing.core.movements import LOOKS, MOVEMENTS
from farthing.core.offers import OFFERS
from farthing.core.owners import KEYS, OWNERS
from farthing.core.payments import PAYMENTS
from farthing.core.people import PASSKEYS, PEOPLE, SIGN_IN_CODES
from farthing.core.records import Table, Write
from farthing.core.refunds import REFUNDS
from farthing.core.session_charges import CHARGES
from farthing.core.sessions import ALIASES, SESSIONS, TARIFFS
from farthing.core.signed_in import ANSWERED, SIGNED_IN
from farthing.core.telling import NOTICE_TRIES
from farthing.core.webhooks import DELIVERIES, LANES, WEBHOOKS
from farthing.errors import InvariantBroken, OutcomeUnknown, ensure

TABLES: dict[str, Table[Any]] = {
    table.name: table
    for table in (
        ACCOUNTS, ADDRESSES, ALIASES, ANSWERED, ASKS, ASSETS, CASES, CERTIFICATES, CHARGES,
        DELIVERIES, DEVICES, IDEMPOTENCY, IDENTITIES, INVITATIONS, KEYS, LANES, LEASES, LISTENERS,
        LOOKS, MANDATES, MOVEMENTS, NOTICE_LANES, NOTICE_PACES, NOTICE_TRIES, OFFERS, OWNERS,
        PASSKEYS, PAYMENTS, PEOPLE, REFUNDS, SESSIONS, SIGNED_IN, SIGN_IN_CODES, TARIFFS, WEBHOOKS,
    )
}  # fmt: skip
"""Every table that a unit writes to, apart from events."""


class EndedElsewhere(OutcomeUnknown):
    """Another hub has ended this commit meanwhile, or the books are no more those it began on."""


class Intent(msgspec.Struct, frozen=True, array_like=True):
    """One commit as it was decided, and what it will write besides its head.

    Units: `now_ns` is the book's time of its head.
    Shape: `number` is the commit's; `opened` and `made` are canonical bytes, each with the number
           of its leaf; `said` are its leaves, each the 16 bytes of a subject and a statement;
           `failed` are ids of 16 bytes; `written` are the names of tables, each with a row.
    """

    number: int
    now_ns: int
    opened: Sequence[tuple[bytes, int]]
    made: Sequence[tuple[bytes, int]]
    said: Sequence[tuple[bytes, bytes]]
    failed: Sequence[bytes]
    written: Sequence[tuple[str, msgspec.Raw]]
    events: Sequence[Event]

    @property
    def accounts(self) -> list[Account]:
        """Give the accounts to open."""
        return [read_account(written) for written, _ in self.opened]

    @property
    def transfers(self) -> list[Transfer]:
        """Give the transfers to make."""
        return [read_row(written) for written, _ in self.made]

    def writes(self) -> list[Write]:
        """Give the records to write."""
        return [_write(name, row) for name, row in self.written]


def of_record(write: Write) -> tuple[str, msgspec.Raw]:
    """Write a record as an intent keeps it."""
    name = write.table.name
    ensure(name in TABLES, "every table that is written to can be read back")
    return name, msgspec.Raw(msgspec.msgpack.encode(write.row))


def _write(name: str, row: msgspec.Raw) -> Write:
    table = TABLES[name]
    return Write(table, msgspec.msgpack.decode(row, type=table.row))


def keep(tx: Tx, intent: Intent) -> None:
    """Write an intent down."""
    content = msgspec.msgpack.encode(intent)
    tx.run("INSERT INTO intents (number, content) VALUES (?, ?)", (intent.number, content))


def left_open(tx: Tx) -> Intent | None:
    """Read the intent that has no outcome yet, if there is one.

    Raises: InvariantBroken when it cannot be read.
    """
    found = tx.rows("SELECT content FROM intents ORDER BY number LIMIT 1")
    if not found:
        return None
    try:
        return msgspec.msgpack.decode(found[0][0], type=Intent)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise InvariantBroken("invariant-broken", f"an intent cannot be read: {fault}") from fault


def is_open(tx: Tx) -> bool:
    """Tell whether a commit is left open."""
    return bool(tx.rows("SELECT 1 FROM intents LIMIT 1"))


def check_open(tx: Tx, intent: Intent, *, whole: bool) -> None:
    """See that an intent is still there; by all that it says, if `whole`.

    Raises: EndedElsewhere.
    """
    told = "content" if whole else "1"
    found = tx.rows(f"SELECT {told} FROM intents WHERE number = ?", (intent.number,))  # noqa: S608
    if not found or (whole and found[0][0] != msgspec.msgpack.encode(intent)):
        raise EndedElsewhere("outcome-unknown", "another hub has ended this; ask again")


def done(tx: Tx, number: int) -> None:
    """Delete an intent whose outcome is written in the same transaction."""
    tx.run("DELETE FROM intents WHERE number = ?", (number,))
