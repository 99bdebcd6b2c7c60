"""The ledger's decision: accounts and transfers in, results and changed accounts out. Pure.

The data model and its order of checks follow TigerBeetle 0.17's public semantics.
"""

from enum import IntEnum, IntFlag
from typing import Protocol

import msgspec


class AccountFlags(IntFlag):
    """What an account may not do. Values as in TigerBeetle."""

    NONE = 0
    LINKED = 1
    DEBITS_MUST_NOT_EXCEED_CREDITS = 2
    CREDITS_MUST_NOT_EXCEED_DEBITS = 4
    HISTORY = 8
    IMPORTED = 16
    CLOSED = 32


class TransferFlags(IntFlag):
    """What a transfer is. Values as in TigerBeetle; EXPIRED marks our own record of an expiry."""

    NONE = 0
    LINKED = 1
    PENDING = 2
    POST_PENDING = 4
    VOID_PENDING = 8
    BALANCING_DEBIT = 16
    BALANCING_CREDIT = 32
    CLOSING_DEBIT = 64
    CLOSING_CREDIT = 128
    IMPORTED = 256
    EXPIRED = 1 << 15


class Account(msgspec.Struct):
    """Debits and credits of one asset (`ledger`): pending and posted.

    Units: counters count the asset's smallest units; `timestamp` is the book's time in ns.
    """

    id: int
    ledger: int
    code: int
    flags: int = 0
    user_data: int = 0
    timestamp: int = 0
    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0


class Transfer(msgspec.Struct, frozen=True):
    """One amount from a debit account to a credit account; immutable.

    Units: `timeout` is whole seconds, 0 for none; `timestamp` is the book's time in ns.
    """

    id: int
    debit_account_id: int
    credit_account_id: int
    amount: int
    ledger: int
    code: int
    flags: int = 0
    pending_id: int = 0
    user_data: int = 0
    timeout: int = 0
    timestamp: int = 0


class PendingState(IntEnum):
    """What became of a pending transfer."""

    PENDING = 1
    POSTED = 2
    VOIDED = 3
    EXPIRED = 4


class Source(Protocol):
    """What the ledger holds before the decision; books answer from memory or disk."""

    def account(self, ident: int) -> Account | None: ...
    def transfer(self, ident: int) -> Transfer | None: ...
    def pending(self, ident: int) -> PendingState | None: ...
    def has_failed(self, ident: int) -> bool: ...
