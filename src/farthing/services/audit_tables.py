"""The tables beside the history: holds, accounts and payments, compared with what it makes."""

from collections.abc import Sequence

from farthing import ids
from farthing.core.accounts import ACCOUNTS, AccountRecord, AssetRecord
from farthing.core.audit_faults import Broken, broken
from farthing.core.audit_fees import FEE_CODES, fee_ids
from farthing.core.audit_leaf import account_broken, transfer_broken
from farthing.core.audit_payments import Known, ledger_ids, money_fault, record_fault, stated_whole
from farthing.core.audit_records import STATED
from farthing.core.audit_rows import StoredAccount
from farthing.core.audit_walk import Walk
from farthing.core.cases import Case, Standing
from farthing.core.ledger import Account, AccountFlags, PendingState
from farthing.core.payments import PAYMENTS, Payment, Place
from farthing.core.refunds import REFUNDS, Refund
from farthing.core.replay import counters
from farthing.errors import Malformed
from farthing.services.audit_cases import check_cases
from farthing.services.audit_movements import check_movements
from farthing.services.audit_sessions import check_sessions
from farthing.store import audit_rows as rows
from farthing.store.database import Tx
from farthing.store.mapping import mapping

_CLOSED = int(AccountFlags.CLOSED)


class Tables:
    """Comparisons in step with the walk, and those that wait for its end."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.payments = self.sessions = self._fees = self._flagged = 0

    def compare(self, walk: Walk) -> None:
        """Compare what the walk has gathered since the last time, and empty it.

        Raises: Broken.
        """
        self._compare_holds(walk)
        self._compare_payments(walk)
        walk.holds.clear()
        walk.ended.clear()
        walk.stated.clear()

    def finish(self, walk: Walk) -> None:
        """Compare whole tables with the end of history.

        Raises: Broken.
        """
        self._check_outstanding(walk)
        self._check_failed()
        self._check_accounts(walk)
        self._check_account_records(walk)
        self._check_records(walk)
        check_movements(self._tx, walk.moved_by_rails)
        check_cases(self._tx, self._flagged)
        if rows.count(self._tx, "payments") != self.payments:
            raise self._unstated_payment()
        if self._fees != walk.fees_moved:
            raise self._unsaid_fee()
        self.sessions = check_sessions(self._tx, walk.sessions_closed)

    def _compare_holds(self, walk: Walk) -> None:
        wanted = list({**walk.holds, **walk.ended})
        stored = rows.pendings(self._tx, wanted)
        for ident in wanted:
            kept = stored.get(ident)
            if kept is None:
                raise _pending_broken(ident, "it is missing")
            expires_ns, state = walk.holds.get(ident), walk.ended.get(ident)
            if expires_ns is not None and kept.expires_ns != expires_ns:
                raise _pending_broken(ident, f"its time ends at {expires_ns} ns")
            if state is not None and kept.state != state:
                raise _pending_broken(ident, f"it is {state.name.lower()} in history")

    def _check_outstanding(self, walk: Walk) -> None:
        outstanding = walk.leaves.replay.holds
        for ident, kept in rows.pendings(self._tx, list(outstanding)).items():
            if kept.state != PendingState.PENDING:
                raise _pending_broken(ident, "it is still pending in history")
        if rows.count(self._tx, "pendings") == walk.holds_made:
            return
        for ident in rows.pending_ids(self._tx):
            if not rows.transfers_by_id(self._tx, [ident]):
                raise _pending_broken(ident, "there is no such transfer")

    def _check_failed(self) -> None:
        odd = rows.odd_failed_id(self._tx)
        if odd is not None:
            raise broken("failed id", "it is not an id", name=str(odd))
        both = rows.failed_but_made(self._tx)
        if both is not None:
            raise broken("failed id", "a transfer has it all the same", ident=both)

    def _check_accounts(self, walk: Walk) -> None:
        seen = 0
        for stored in rows.accounts_by_id(self._tx):
            wrong = _account_fault(walk, stored)
            if wrong is not None:
                raise account_broken(stored, wrong)
            seen += 1
        if seen != len(walk.leaves.replay.accounts):
            raise broken("account", "one of history's accounts is not stored")
        odd = rows.odd_balances(self._tx)
        if odd is not None:
            raise broken("balances", "they belong to no account", number=odd)
        odd = rows.odd_cluster_time(self._tx)
        if odd is not None:
            raise broken("cluster time", "it belongs to no account and no transfer", number=odd)

    def _check_account_records(self, walk: Walk) -> None:
        mapped, after = mapping(ACCOUNTS), ""
        while True:
            page = self._tx.rows(
                f"{mapped.select} WHERE id > ? ORDER BY id LIMIT {rows.PAGE}", (after,)
            )
            for row in page:
                record = mapped.row(row)
                wrong = _record_fault(record, walk.leaves.replay.accounts)
                if wrong is not None:
                    raise broken("account record", wrong, name=record.id)
                after = record.id
            if not page:
                return

    def _check_records(self, walk: Walk) -> None:
        ledgers = {account.ledger for account in walk.leaves.replay.accounts.values()}
        for table, word in STATED.items():
            for record in rows.records(self._tx, table, word):
                unused = isinstance(record, AssetRecord) and record.ledger not in ledgers
                unused = unused or (isinstance(record, Case) and record.state is Standing.OPEN)
                walk.records.check(table, record, unused=unused)
        walk.records.check_none_missing()

    def _compare_payments(self, walk: Walk) -> None:
        stated, accounts = walk.stated, walk.leaves.replay.accounts
        found = self._fetch(list(stated))
        current: list[Payment] = []
        for ident, leaf in stated.items():
            payment = found.get(ident)
            if payment is None:
                raise _payment_broken(ident, f"it is missing; leaf {leaf.number} states it")
            if payment.leaf < leaf.number:
                raise _payment_broken(ident, f"leaf {leaf.number} has a newer statement of it")
            if payment.leaf == leaf.number:
                payer = accounts.get(_account_number(payment.payer))
                ledger = payer.ledger if payer is not None else None
                wrong = record_fault(payment, leaf.statement, ledger)
                if wrong is not None:
                    raise _payment_broken(ident, wrong)
                walk.records.unproven += not stated_whole(leaf.statement)
                current.append(payment)
        self._check_money(current, walk)
        self.payments += len(current)
        self._flagged += sum(bool(payment.risk) for payment in current)

    def _fetch(self, idents: Sequence[str]) -> dict[str, Payment]:
        try:
            return self._tx.fetch(PAYMENTS, idents)
        except (ValueError, TypeError) as fault:
            if len(idents) == 1:
                raise _payment_broken(idents[0], f"it cannot be read: {fault}") from None
        return {ident: payment for one in idents for ident, payment in self._fetch([one]).items()}

    def _check_money(self, payments: Sequence[Payment], walk: Walk) -> None:
        refunds = self._refunds([p for p in payments if p.refunded or p.captured])
        wanted = [i for p in payments for i in ledger_ids(p, refunds.get(p.id, ()))]
        transfers = rows.transfers_by_id(self._tx, wanted)
        first = [ids.place(p.number, Place.HOLD) for p in payments]
        pendings = rows.pendings(self._tx, first)
        holds = {ident: PendingState(kept.state) for ident, kept in pendings.items()}
        failed = rows.failed_ids(self._tx, [i for i in first if i not in transfers])
        for payment in payments:
            ours = refunds.get(payment.id, ())
            known = Known(transfers, holds, failed, ours, walk.latches.was_closed)
            self._fees += sum(i in transfers for i in fee_ids(payment, ours))
            wrong = money_fault(payment, known)
            if wrong is not None:
                raise _payment_broken(payment.id, wrong)

    def _refunds(self, payments: Sequence[Payment]) -> dict[str, list[Refund]]:
        mapped = mapping(REFUNDS)
        found: dict[str, list[Refund]] = {}
        for row in self._tx.rows_each(
            f"{mapped.select} WHERE payment = ?", [payment.id for payment in payments]
        ):
            refund = mapped.row(row)
            found.setdefault(refund.payment, []).append(refund)
        return found

    def _unsaid_fee(self) -> Broken:
        for row in rows.transfers(self._tx):
            moved = row.transfer
            if moved.code in FEE_CODES and moved.id not in self._fee_ids(moved.user_data):
                return transfer_broken(row, "it moved a fee, and no payment says so")
        return broken("fees", "there are fewer than payments say")

    def _fee_ids(self, number: int) -> Sequence[int]:
        ident = ids.name("pay", number)
        payment = self._fetch([ident]).get(ident)
        return () if payment is None else fee_ids(payment, self._refunds([payment]).get(ident, ()))

    def _unstated_payment(self) -> Broken:
        after = ""
        while page := self._tx.rows(
            f"SELECT id, leaf FROM payments WHERE id > ? ORDER BY id LIMIT {rows.PAGE}",  # noqa: S608
            (after,),
        ):
            stated = rows.subjects(self._tx, [leaf for _, leaf in page])
            for ident, leaf in page:
                if stated.get(leaf) != ids.number("pay", ident):
                    return _payment_broken(ident, f"leaf {leaf} does not state it")
            after = page[-1][0]
        return broken("payments", "there are more than history states")


def _account_fault(walk: Walk, stored: StoredAccount) -> str | None:
    own = walk.leaves.replay.accounts.get(stored.account.id)
    if own is None:
        return "it is not in history"
    if counters(own) != counters(stored.account):
        said = ("debits pending", "debits posted", "credits pending", "credits posted")
        pairs = zip(said, counters(stored.account), counters(own), strict=True)
        wrong = [
            f"{name} is {kept}, history makes {made}" for name, kept, made in pairs if kept != made
        ]
        return "; ".join(wrong)
    if own != stored.account:
        return f"its flags are {stored.account.flags}, history makes {own.flags}"
    newest = walk.leaves.newest.get(own.id, 0)
    if stored.newest != newest:
        return f"its newest transfer is {newest}"
    return None


def _record_fault(record: AccountRecord, accounts: dict[int, Account]) -> str | None:
    account = accounts.get(_account_number(record.id))
    if account is None:
        return "the ledger has no such account"
    if account.ledger != record.ledger:
        return f"the ledger counts it in ledger {account.ledger}"
    if bool(account.flags & _CLOSED) != (record.state != "open"):
        return f"it is {record.state}, but the ledger's latch says otherwise"
    return None


def _account_number(ident: str) -> int:
    try:
        return ids.number("acc", ident)
    except Malformed:
        return 0


def _pending_broken(ident: int, what: str) -> Broken:
    return broken("pending transfer", what, ident=ident)


def _payment_broken(ident: str, what: str) -> Broken:
    return broken("payment", what, name=ident)
