"""The bytes of history: one fixed-width, big-endian encoding per account and per transfer.

Only what never changes is in them: no counters, and not whether an account is closed, which
follows from the transfers. The hash chain covers these bytes. The id of an expiry's row is made
here too: it follows from the row that it ends.
"""

import struct

from farthing import ids
from farthing.clock import NS
from farthing.core.ledger_types import Account, AccountFlags, Transfer

ACCOUNT_KIND = 1
TRANSFER_KIND = 2

_ACCOUNT = struct.Struct(">B16sIHH16sQ")
_TRANSFER = struct.Struct(">B16s16s16sQIHH16s16sIQ")
_NOT_CLOSED = ~int(AccountFlags.CLOSED)


def canonical_account(account: Account) -> bytes:
    """Write what is fixed of an account as 49 bytes.

    Shape: kind 1, id, ledger (4), code (2), flags as opened (2), user_data, timestamp (8).
    """
    return _ACCOUNT.pack(
        ACCOUNT_KIND,
        account.id.to_bytes(16, "big"),
        account.ledger,
        account.code,
        int(account.flags) & _NOT_CLOSED,
        account.user_data.to_bytes(16, "big"),
        account.timestamp,
    )


def canonical_row(transfer: Transfer) -> bytes:
    """Write a transfer as 109 bytes.

    Shape: kind 2, id, debit account, credit account, amount (8), ledger (4), code (2), flags (2),
           pending_id, user_data, timeout (4), timestamp (8); ids and user_data have 16 bytes.
    """
    return _TRANSFER.pack(
        TRANSFER_KIND,
        transfer.id.to_bytes(16, "big"),
        transfer.debit_account_id.to_bytes(16, "big"),
        transfer.credit_account_id.to_bytes(16, "big"),
        transfer.amount,
        transfer.ledger,
        transfer.code,
        transfer.flags,
        transfer.pending_id.to_bytes(16, "big"),
        transfer.user_data.to_bytes(16, "big"),
        transfer.timeout,
        transfer.timestamp,
    )


def user_data_of(ident: int, kept: bytes) -> int:
    """Read a transfer's user data; nothing is kept where it is what its id was derived from."""
    return _id(kept) if kept else ids.without_place(ident)


def read_account(written: bytes) -> Account:
    """Read an account's fixed bytes; its counters are 0."""
    _, ident, ledger, code, flags, user_data, timestamp = _ACCOUNT.unpack(written)
    return Account(_id(ident), ledger, code, flags, _id(user_data), timestamp)


def read_row(written: bytes) -> Transfer:
    """Read a transfer's bytes."""
    (
        _, ident, debit, credit, amount, ledger, code, flags, pending, user_data, timeout, timestamp
    ) = _TRANSFER.unpack(written)  # fmt: skip
    return Transfer(
        _id(ident), _id(debit), _id(credit), amount, ledger, code, flags, _id(pending),
        _id(user_data), timeout, timestamp,
    )  # fmt: skip


def with_time(written: bytes, cluster_ns: int) -> bytes:
    """Give the bytes that history covers of a row that a cluster keeps: its time is part of it."""
    return written + cluster_ns.to_bytes(8, "big")


def _id(written: bytes) -> int:
    return int.from_bytes(written, "big")


def expiry_id(pending: Transfer, attempt: int = 0) -> int:
    """Give the id of the row that records a pending transfer's expiry.

    Shape: follows from the pending transfer alone; `attempt` counts ids somebody took before us.
    """
    due_ms = (pending.timestamp + pending.timeout * NS) // 1_000_000
    return ids.derived(due_ms, "expiry", pending.id.to_bytes(16, "big"), str(attempt))
