"""The ledger's decision: accounts and transfers in, results and changed accounts out. Pure.

A `Ledger` is the working set of one commit. Later requests see the effects of earlier ones; what
it holds in the end is what the books write.

Source: TigerBeetle 0.17's public semantics; `docs/reference/ledger.md` lists the differences.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from farthing.core import ledger_checks as checks
from farthing.core.ledger_checks import (
    BALANCING,
    CLOSED,
    CLOSING,
    EXPIRED,
    LINKED,
    PENDING,
    POST,
    RESOLVING,
    TRANSFER_FLAGS_TAKEN,
    VOID,
)
from farthing.core.ledger_limits import balanced_amount, stands_against
from farthing.core.ledger_rows import canonical_account, canonical_row, expiry_id
from farthing.core.ledger_types import (
    AMOUNT_MAX,
    ID_MAX,
    TRANSIENT,
    Account,
    AccountFlags,
    AccountResult,
    PendingState,
    Source,
    Transfer,
    TransferFlags,
    TransferResult,
)
from farthing.core.ledger_work import Mark, WorkingSet
from farthing.errors import ensure

__all__ = [
    "AMOUNT_MAX",
    "ID_MAX",
    "TRANSIENT",
    "Account",
    "AccountFlags",
    "AccountResult",
    "Ending",
    "Ledger",
    "Mark",
    "Move",
    "PendingState",
    "Source",
    "Transfer",
    "TransferFlags",
    "TransferResult",
    "canonical_account",
    "canonical_row",
    "expiry_id",
    "linked",
]

R = TransferResult
_CREATED = TransferResult.CREATED

Move = tuple[Transfer, Account, Account]
"""A transfer, and the accounts it debits and credits."""

Ending = tuple[Transfer, Transfer]
"""A transfer that posts a pending one, and that one."""

Event = TypeVar("Event", Account, Transfer)
Result = TypeVar("Result", AccountResult, TransferResult)


def linked(transfers: Sequence[Transfer]) -> list[Transfer]:
    """Make one chain of these transfers: all but the last get LINKED, the last loses it."""
    last = len(transfers) - 1
    replace = msgspec.structs.replace
    return [
        replace(t, flags=int(t.flags) | LINKED if i < last else int(t.flags) & ~LINKED)
        for i, t in enumerate(transfers)
    ]


class Ledger(WorkingSet):
    """The decision for one commit; see `WorkingSet` for what it gathers."""

    def open_accounts(self, accounts: Sequence[Account]) -> list[AccountResult]:
        """Open accounts, singly or in linked chains; one result for each.

        Raises: Malformed `malformed-account` for a field out of range; nothing is opened then.
        """
        for account in accounts:
            checks.ensure_account_fits(account)
        results = AccountResult
        return self._batch(
            accounts, self._open, results.LINKED_EVENT_FAILED, results.LINKED_EVENT_CHAIN_OPEN
        )

    def post(self, chain: Sequence[Transfer]) -> list[TransferResult]:
        """Make transfers, singly or in linked chains; one result for each.

        Raises: Malformed `malformed-transfer` for a field out of range; nothing is made then.
        """
        for transfer in chain:
            checks.ensure_transfer_fits(transfer)
        results = TransferResult
        return self._batch(
            chain, self._post, results.LINKED_EVENT_FAILED, results.LINKED_EVENT_CHAIN_OPEN
        )

    def move(self, moves: Sequence[Move]) -> bool:
        """Make plain transfers as one chain: all of them, or none and nothing has happened.

        Shape: each with its two accounts as `account` gives them, no account in two of them, and
               timestamps from `now_ns` on. What `post` would refuse is not made, nor explained.
        """
        made, failed, is_free = self._made, self._failed, self._source.is_free
        for transfer, debit, credit in moves:
            ident, amount = transfer.id, transfer.amount
            if ident in made or ident in failed or not is_free(ident):
                return False
            if stands_against(transfer, debit, credit, amount, transfer.timestamp) is not None:
                return False
        for transfer, debit, credit in moves:
            self._begin(transfer, debit, credit)
        return True

    def post_held(self, endings: Sequence[Ending]) -> bool:
        """Post pending transfers whole, as one chain: all, or none and nothing has happened.

        Shape: each row as it is to stand, no hold in two of them, and timestamps from `now_ns`
               on. What `post` would refuse is not made, nor explained; without any, False.
        """
        made, failed, is_free = self._made, self._failed, self._source.is_free
        for row, held in endings:
            ident = row.id
            if ident in made or ident in failed or not is_free(ident):
                return False
            if row.amount != held.amount or not held.flags & PENDING:
                return False
            if self._ended(held, row.timestamp) is not None or self._closed(held) is not None:
                return False
        for row, held in endings:
            self._end(row, held, PendingState.POSTED)
        return bool(endings)

    def expire_due(self, due: Sequence[Transfer]) -> list[Transfer]:
        """Release the holds among `due` whose time has run out; give the rows that record it.

        Shape: those not yet due, or ended before, are passed over. A commit begins with this, so
               that what it decides sees the money that time has set free.
        """
        made: list[Transfer] = []
        for p in due:
            now_ns = self.now_ns
            if not checks.is_due(p, now_ns) or self.pending(p.id) is not PendingState.PENDING:
                continue
            row = Transfer(
                id=self._free_expiry_id(p),
                debit_account_id=p.debit_account_id,
                credit_account_id=p.credit_account_id,
                amount=p.amount,
                ledger=p.ledger,
                code=p.code,
                flags=EXPIRED,
                pending_id=p.id,
                user_data=p.user_data,
                timestamp=now_ns,
            )
            self._end(row, p, PendingState.EXPIRED)
            made.append(row)
        return made

    def _batch(
        self,
        events: Sequence[Event],
        decide: Callable[[Event], Result],
        failed: Result,
        left_open: Result,
    ) -> list[Result]:
        results: list[Result] = []
        last = len(events) - 1
        mark: Mark | None = None
        start, broken = 0, False
        for index, event in enumerate(events):
            is_linked = int(event.flags) & LINKED
            if is_linked and mark is None:
                mark, start, broken = self.mark(), index, False
            if is_linked and index == last:
                result = left_open
            else:
                result = failed if mark and broken else decide(event)
            results.append(result)
            if result != _CREATED and not (mark and broken):
                if mark is not None:
                    self.rollback(mark)
                    results[start:index] = [failed] * (index - start)
                    broken = True
                if result in TRANSIENT and isinstance(event, Transfer):
                    self._failed[event.id] = None
            if not is_linked:
                mark = None
        return results

    def _open(self, a: Account) -> AccountResult:
        result = checks.first(checks.HEAD_OF_ACCOUNT, a)
        if result is not None:
            return result
        existing = self.account(a.id)
        if existing is not None:
            return checks.account_exists(a, existing)
        result = checks.first(checks.BODY_OF_ACCOUNT, a)
        if result is not None:
            return result
        self.last_ns = self.now_ns
        self._opened[a.id] = Account(
            a.id, a.ledger, a.code, int(a.flags), a.user_data, self.last_ns
        )
        return AccountResult.CREATED

    def _post(self, t: Transfer) -> TransferResult:
        ident = t.id
        if t.timestamp or int(t.flags) & ~TRANSFER_FLAGS_TAKEN or not 0 < ident < ID_MAX:
            result = checks.first(checks.HEAD, t)
            ensure(result is not None, "a request that was stopped has a reason")
            return result or _CREATED
        existing = self.transfer(ident)
        if existing is not None:
            ended = self.transfer(existing.pending_id) if existing.pending_id else None
            return checks.transfer_exists(t, existing, ended)
        if ident in self._failed or self._source.has_failed(ident):
            return TransferResult.ID_ALREADY_FAILED
        return self._resolve(t) if int(t.flags) & RESOLVING else self._move(t)

    def _free_expiry_id(self, p: Transfer) -> int:
        attempt = 0
        while self.transfer(ident := expiry_id(p, attempt)) is not None:
            attempt += 1
        return ident

    def _move(self, t: Transfer) -> TransferResult:
        flags, amount = int(t.flags), t.amount
        wrong = _shape_of_move(t, flags)
        if wrong is not None:
            return wrong
        dr = self.account(t.debit_account_id)
        if dr is None:
            return R.DEBIT_ACCOUNT_NOT_FOUND
        cr = self.account(t.credit_account_id)
        if cr is None:
            return R.CREDIT_ACCOUNT_NOT_FOUND
        if flags & BALANCING:
            amount = balanced_amount(dr, cr, amount, flags)
        now_ns = self.now_ns
        wrong = stands_against(t, dr, cr, amount, now_ns)
        if wrong is not None:
            return wrong
        self._begin(
            Transfer(
                t.id,
                t.debit_account_id,
                t.credit_account_id,
                amount,
                t.ledger,
                t.code,
                flags,
                0,
                t.user_data,
                t.timeout,
                now_ns,
            ),
            dr,
            cr,
        )
        return _CREATED

    def _resolve(self, t: Transfer) -> TransferResult:
        wrong = checks.first(checks.ENDING, t)
        if wrong is not None:
            return wrong
        p = self.transfer(t.pending_id)
        if p is None:
            return R.PENDING_TRANSFER_NOT_FOUND
        now_ns = self.now_ns
        wrong = checks.differs_from_pending(t, p) or self._ended(p, now_ns)
        if wrong is None and not int(t.flags) & VOID:
            wrong = self._closed(p)
        if wrong is not None:
            return wrong
        row = Transfer(
            id=t.id,
            debit_account_id=p.debit_account_id,
            credit_account_id=p.credit_account_id,
            amount=checks.ended_amount(t, p),
            ledger=p.ledger,
            code=p.code,
            flags=int(t.flags),
            pending_id=p.id,
            user_data=t.user_data or p.user_data,
            timestamp=now_ns,
        )
        self._end(row, p, PendingState.POSTED if row.flags & POST else PendingState.VOIDED)
        return _CREATED

    def _ended(self, p: Transfer, now_ns: int) -> TransferResult | None:
        state = self.pending(p.id)
        ensure(state is not None, "every pending transfer has a state")
        if state is PendingState.POSTED:
            return R.PENDING_TRANSFER_ALREADY_POSTED
        if state is PendingState.VOIDED:
            return R.PENDING_TRANSFER_ALREADY_VOIDED
        if state is PendingState.EXPIRED or checks.is_due(p, now_ns):
            return R.PENDING_TRANSFER_EXPIRED
        return None

    def _closed(self, p: Transfer) -> TransferResult | None:
        dr, cr = self._sides(p)
        if dr.flags & CLOSED:
            return R.DEBIT_ACCOUNT_ALREADY_CLOSED
        return R.CREDIT_ACCOUNT_ALREADY_CLOSED if cr.flags & CLOSED else None


def _shape_of_move(t: Transfer, flags: int) -> TransferResult | None:
    if (
        0 < t.debit_account_id < ID_MAX
        and 0 < t.credit_account_id < ID_MAX
        and t.debit_account_id != t.credit_account_id
        and not t.pending_id
        and t.ledger
        and t.code
        and (flags & PENDING or not (t.timeout or flags & CLOSING))
    ):
        return None
    return checks.first(checks.MOVING, t)
