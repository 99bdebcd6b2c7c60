"""One leaf of the history: the rows it covers, their digest, and the balances they make."""

import hashlib
import struct
from collections.abc import Sequence

import msgspec

from farthing import ids
from farthing.core.audit_faults import Broken, broken
from farthing.core.audit_pinpoint import changed_row, swapped_row
from farthing.core.audit_rows import Stored, StoredAccount, StoredLeaf, StoredTransfer
from farthing.core.chain import leaf_digest
from farthing.core.ledger import canonical_account, canonical_row
from farthing.core.ledger_rows import with_time
from farthing.core.replay import HistoryBroken, Replay
from farthing.errors import Malformed

_NEAR = 64


class Said(msgspec.Struct):
    """What the audit wants to know of a statement."""

    kind: str = ""
    payment: str = ""
    session: str = ""
    subject: str = ""
    before: dict[str, str] = {}
    after: dict[str, str] | None = None


_SAID = msgspec.json.Decoder(Said)


def read_statement(statement: bytes) -> Said:
    """Read what a statement is about; one of another shape is about nothing known."""
    try:
        return _SAID.decode(statement)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Said()


class Leaves:
    """Balances and threads as the leaves make them, one leaf after the other."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self.replay = Replay()
        self.newest: dict[int, int] = {}
        self.number = 0
        self.transfers = 0

    def take(self, commit: int) -> tuple[StoredLeaf, Said, list[StoredTransfer]]:
        """Check the next leaf with the rows it covers.

        Raises: Broken.
        """
        leaf = self._next(commit)
        self._check_none_left_behind(leaf.number)
        accounts = self._stored.accounts.take_while(lambda row: row.leaf == leaf.number)
        transfers = self._stored.transfers.take_while(lambda row: row.leaf == leaf.number)
        self._check_digests(leaf, accounts, transfers)
        said = read_statement(leaf.statement)
        if not _fits_subject(leaf, said):
            raise broken("leaf", "its subject is not its statement's", number=leaf.number)
        for opened in accounts:
            self._open(opened)
        for row in transfers:
            self._move(row)
        return leaf, said, transfers

    def _next(self, commit: int) -> StoredLeaf:
        self.number += 1
        leaf = self._stored.leaves.take()
        if leaf is None or leaf.number != self.number:
            raise broken("leaf", f"it is missing; commit {commit} needs it", number=self.number)
        if leaf.commit != commit:
            what = f"it stands under commit {leaf.commit} but belongs to commit {commit}"
            raise broken("leaf", what, number=leaf.number)
        return leaf

    def _check_none_left_behind(self, number: int) -> None:
        account, transfer = self._stored.accounts.next, self._stored.transfers.next
        if account is not None and account.leaf < number:
            raise account_broken(account, f"leaf {account.leaf} does not cover it")
        if transfer is not None and transfer.leaf < number:
            raise transfer_broken(transfer, f"leaf {transfer.leaf} does not cover it")

    def _check_digests(
        self, leaf: StoredLeaf, accounts: list[StoredAccount], transfers: list[StoredTransfer]
    ) -> None:
        rows = [account_bytes(row) for row in accounts] + [transfer_bytes(row) for row in transfers]
        covered = hashlib.sha256(b"".join(rows)).digest()
        whole = leaf_digest(leaf.statement, leaf.rows_digest) == leaf.digest
        if covered != leaf.rows_digest and whole:
            raise self._pinpoint(leaf, accounts, transfers, rows)
        if covered != leaf.rows_digest:
            what = "its rows digest is not that of the rows it covers"
            raise broken("leaf", what, number=leaf.number)
        if not whole:
            what = "its digest is not that of its statement and rows"
            raise broken("leaf", what, number=leaf.number)

    def _open(self, row: StoredAccount) -> None:
        try:
            self.replay.account(row.account)
        except HistoryBroken as fault:
            raise account_broken(row, fault.what) from None

    def _move(self, row: StoredTransfer) -> None:
        self.transfers += 1
        if row.number != self.transfers:
            what = f"it is missing; the next one is {row.number}"
            raise broken("transfer", what, number=self.transfers)
        try:
            self.replay.transfer(row.transfer)
        except HistoryBroken as fault:
            raise transfer_broken(row, fault.what) from None
        wrong = self._thread_fault(row)
        if wrong is not None:
            raise transfer_broken(row, wrong)
        moved = row.transfer
        self.newest[moved.debit_account_id] = self.newest[moved.credit_account_id] = row.number

    def _thread_fault(self, row: StoredTransfer) -> str | None:
        debit = self.newest.get(row.transfer.debit_account_id, 0)
        credit = self.newest.get(row.transfer.credit_account_id, 0)
        if row.debit_previous != debit:
            return f"the transfer before it on the debit account is {debit}"
        if row.credit_previous != credit:
            return f"the transfer before it on the credit account is {credit}"
        return None

    def _pinpoint(
        self,
        leaf: StoredLeaf,
        accounts: Sequence[StoredAccount],
        transfers: Sequence[StoredTransfer],
        rows: Sequence[bytes],
    ) -> Broken:
        """Name the row that is to blame for a leaf whose rows do not make its digest."""
        missing = self._missing(transfers)
        if missing:
            return broken("transfer", "it is missing", number=missing)
        named = [*accounts, *transfers]
        for index, row in enumerate(named):
            rest = b"".join([*rows[:index], *rows[index + 1 :]])
            if hashlib.sha256(rest).digest() == leaf.rows_digest:
                return _row_broken(row, f"it is not one of the rows of leaf {leaf.number}")
        found = swapped_row(rows, leaf.rows_digest)
        if found is not None:
            return _row_broken(named[found], "it stands at another row's place")
        strayed = self._strayed(leaf, rows, transfers)
        if strayed is not None:
            return _row_broken(strayed, f"it belongs to leaf {leaf.number}")
        found = changed_row(rows, leaf.rows_digest)
        suspect = named[found] if found is not None else self._suspect(accounts, transfers)
        if suspect is not None:
            return _row_broken(suspect, "it is not what the history's digest covers")
        listed = ", ".join(_name(row) for row in named[:_NEAR]) or "none is stored"
        return broken(
            "leaf", f"a row it covers was changed or removed: {listed}", number=leaf.number
        )

    def _missing(self, transfers: Sequence[StoredTransfer]) -> int:
        following = self._stored.transfers.next
        numbers = [row.number for row in transfers] + ([following.number] if following else [])
        expected = range(self.transfers + 1, self.transfers + 1 + len(numbers))
        return next((due for due, number in zip(expected, numbers, strict=True) if due < number), 0)

    def _strayed(
        self, leaf: StoredLeaf, rows: Sequence[bytes], transfers: Sequence[StoredTransfer]
    ) -> StoredAccount | StoredTransfer | None:
        """Find the row that is stored under another leaf than the one that covers it."""
        digest = hashlib.sha256(b"".join(rows))
        alone = digest.copy()
        passed = 0
        first: StoredTransfer | None = None
        while (row := self._stored.transfers.take()) is not None:
            raw, passed = transfer_bytes(row), passed + 1
            if row.leaf != leaf.number:
                first = first or row
                by_itself = alone.copy()
                by_itself.update(raw)
                if by_itself.digest() == leaf.rows_digest:
                    return row
            elif first is not None:
                return first  # It stands between two rows of this leaf.
            if passed <= _NEAR:
                digest.update(raw)
                if digest.digest() == leaf.rows_digest:
                    return first
        opened = len(rows) - len(transfers)
        elsewhere = (row for row in self._stored.every_account() if row.leaf != leaf.number)
        for account in elsewhere:
            whole = [*rows[:opened], account_bytes(account)]
            whole.sort(key=lambda raw: raw[-8:])
            if hashlib.sha256(b"".join([*whole, *rows[opened:]])).digest() == leaf.rows_digest:
                return account
        return None

    def _suspect(
        self, accounts: Sequence[StoredAccount], transfers: Sequence[StoredTransfer]
    ) -> StoredTransfer | None:
        """Find the first transfer that cannot stand where it does, or stands there alone."""
        ledgers = {row.account.id: row.account.ledger for row in accounts}
        newest: dict[int, int] = {}
        for row in transfers:
            moved = row.transfer
            sides = (moved.debit_account_id, moved.credit_account_id)
            before = (row.debit_previous, row.credit_previous)
            for side, previous in zip(sides, before, strict=True):
                known = self.replay.accounts.get(side)
                ledger = known.ledger if known else ledgers.get(side)
                if ledger != moved.ledger:
                    return row
                if previous != newest.get(side, self.newest.get(side, 0)):
                    return row
                newest[side] = row.number
        return transfers[0] if len(transfers) == 1 and not accounts else None


def _fits_subject(leaf: StoredLeaf, said: Said) -> bool:
    if not leaf.statement:
        return leaf.subject == 0
    try:
        if said.kind == "payment":
            return leaf.subject == ids.number("pay", said.payment)
        if said.kind == "session":
            return leaf.subject == ids.number("ses", said.session)
    except Malformed:
        return False
    return leaf.subject == ids.number_if_any(said.subject) or not said.kind


def account_bytes(row: StoredAccount) -> bytes:
    """Write an account's fixed bytes, as history covers them.

    Raises: Broken for numbers that no account has.
    """
    try:
        written = canonical_account(row.account)
        return with_time(written, row.cluster_ns) if row.cluster_ns else written
    except (struct.error, OverflowError):
        raise account_broken(row, "a field is outside its range") from None


def transfer_bytes(row: StoredTransfer) -> bytes:
    """Write a transfer's bytes, as history covers them.

    Raises: Broken for numbers that no transfer has.
    """
    try:
        written = canonical_row(row.transfer)
        return with_time(written, row.cluster_ns) if row.cluster_ns else written
    except (struct.error, OverflowError):
        raise transfer_broken(row, "a field is outside its range") from None


def account_broken(row: StoredAccount, what: str) -> Broken:
    """Name a broken account."""
    ident = row.account.id
    return broken("account", what, ident=ident, name=ids.name("acc", ident))


def transfer_broken(row: StoredTransfer, what: str) -> Broken:
    """Name a broken transfer."""
    return broken("transfer", what, number=row.number, ident=row.transfer.id)


def _row_broken(row: StoredAccount | StoredTransfer, what: str) -> Broken:
    named = account_broken if isinstance(row, StoredAccount) else transfer_broken
    return named(row, what)  # type: ignore[arg-type]


def _name(row: StoredAccount | StoredTransfer) -> str:
    return _row_broken(row, "").fault.row
