"""A cluster in memory, to test what is kept by one without any server."""

from collections.abc import Iterator, Sequence

from farthing.books.cluster import CHAIN_MAX, ClusterDiffers, KeptAccount, KeptTransfer
from farthing.core.ledger import (
    Account,
    AccountFlags,
    Ledger,
    PendingState,
    Transfer,
    TransferFlags,
)

START_NS = 10**18

_ENDING = int(TransferFlags.POST_PENDING | TransferFlags.VOID_PENDING | TransferFlags.EXPIRED)
_LIMITED = int(AccountFlags.DEBITS_MUST_NOT_EXCEED_CREDITS)


class _Nothing:
    """What a ledger holds that has only just begun."""

    def account(self, ident: int) -> Account | None: ...
    def transfer(self, ident: int) -> Transfer | None: ...
    def pending(self, ident: int) -> PendingState | None: ...
    def has_failed(self, ident: int) -> bool:
        return ident < 0

    def is_free(self, ident: int) -> bool:
        return ident > 0


class FakeCluster:
    """Keeps what it is given, and counts it; its clock moves on by one for each row.

    Shape: it takes no chains but those that any cluster takes.
    """

    def __init__(self) -> None:
        self._ledger = Ledger(_Nothing(), 0, 0)
        self._accounts: dict[int, int] = {}
        self._transfers: dict[int, KeptTransfer] = {}
        self._now_ns = START_NS

    def open_accounts(self, accounts: Sequence[Account]) -> list[int]:
        """Open accounts that are not there yet, and give the cluster's time of each."""
        for account in accounts:
            known = self._ledger.account(account.id)
            if known is None:
                self._ledger.redo([account], ())
                self._accounts[account.id] = self._tick()
            elif known.user_data != account.user_data:
                raise _differs(f"it answers exists to account {account.id:032x}")
        return [self._accounts[account.id] for account in accounts]

    def post(self, transfers: Sequence[Transfer]) -> list[int]:
        """Make transfers that are not there yet, and give the cluster's time of each."""
        linked = 0
        for transfer in transfers:
            linked = linked + 1 if transfer.flags & TransferFlags.LINKED else 0
            if linked >= CHAIN_MAX:
                raise _differs(f"it takes no chain of more than {CHAIN_MAX}")
        for transfer in transfers:
            kept = self._transfers.get(transfer.id)
            if kept is None:
                self._make(transfer)
            elif kept.transfer != transfer:
                raise _differs(f"it has transfer {transfer.id:032x} otherwise")
        return [self._transfers[transfer.id].cluster_ns for transfer in transfers]

    def _make(self, transfer: Transfer) -> None:
        if not transfer.flags & _ENDING:
            payer = self._ledger.account(transfer.debit_account_id)
            if payer is None or (payer.flags & _LIMITED and transfer.amount > _left(payer)):
                raise _differs(f"it refuses transfer {transfer.id:032x}")
        self._ledger.redo((), [transfer])
        self._transfers[transfer.id] = KeptTransfer(transfer, self._tick())

    def accounts(self, idents: Sequence[int]) -> dict[int, KeptAccount]:
        """Get the accounts that exist under these ids."""
        return {i: self._kept(i) for i in idents if i in self._accounts}

    def transfers(self, idents: Sequence[int]) -> dict[int, KeptTransfer]:
        """Get the transfers that exist under these ids."""
        return {i: self._transfers[i] for i in idents if i in self._transfers}

    def every_account(self) -> Iterator[KeptAccount]:
        """Give every account in the order of opening."""
        yield from map(self._kept, list(self._accounts))

    def every_transfer(self) -> Iterator[KeptTransfer]:
        """Give every transfer in the order of posting."""
        yield from list(self._transfers.values())

    def newest_transfer(self) -> KeptTransfer | None:
        """Give the transfer posted last."""
        return next(reversed(self._transfers.values()), None)

    def close(self) -> None:
        """Keep everything, as a cluster does."""

    def _kept(self, ident: int) -> KeptAccount:
        account = self._ledger.account(ident)
        if account is None:
            raise KeyError(ident)
        return KeptAccount(account, self._accounts[ident])

    def _tick(self) -> int:
        self._now_ns += 1
        return self._now_ns


def _left(payer: Account) -> int:
    return payer.credits_posted - payer.debits_posted - payer.debits_pending


def _differs(what: str) -> ClusterDiffers:
    return ClusterDiffers("cluster-differs", f"the cluster does not fit these books: {what}")
