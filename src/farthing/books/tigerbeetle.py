# pyright: reportCallIssue=false
"""A TigerBeetle cluster by its official client: rows of the books there and back.

What TigerBeetle has no field for stands in its `user_data`: 64 bits are the book's time, 32 bits
the timeout of a hold, or what kind of ending a row is. Zero would be filled in by the cluster.
The client's records are dataclasses by a way that a type checker cannot follow.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import tigerbeetle as tb
from tigerbeetle.client import (
    ClientClosedError,
    ClientEvictedError,
    ClientReleaseTooHighError,
    ClientReleaseTooLowError,
    InitError,
    TooMuchDataError,
)

from farthing.books.cluster import ClusterDiffers, KeptAccount, KeptTransfer
from farthing.core.ledger import Account, Transfer, TransferFlags
from farthing.errors import BadConfig, Unavailable

T = TypeVar("T")
Given = TypeVar("Given")

REQUEST_MAX = 8189
"""So many rows fit into a request of a cluster that is set up as usual."""
ANSWER_SECONDS = 5.0
"""So long an answer is waited for; two replicas of three elect another primary in less."""

_LINKED, _PENDING = int(TransferFlags.LINKED), int(TransferFlags.PENDING)
_VOID, _EXPIRED = int(TransferFlags.VOID_PENDING), int(TransferFlags.EXPIRED)
_PLAIN, _RAN_OUT = 1, 2
_ACCOUNT, _TRANSFER = tb.CreateAccountStatus, tb.CreateTransferStatus


class TigerBeetle:
    """One cluster, with one session of the client that is opened when it is needed.

    Shape: `addresses` are those of all replicas in their order, joined by commas.
    """

    def __init__(
        self, addresses: str, cluster: int = 0, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        self._addresses, self._cluster = addresses, cluster
        self._answer_seconds, self._most = answer_seconds, REQUEST_MAX
        self._session: tuple[tb.ClientSync, ThreadPoolExecutor] | None = None

    def open_accounts(self, accounts: Sequence[Account]) -> list[int]:
        """Open accounts that are not there yet, and give the cluster's time of each."""
        times: list[int] = []
        for piece in self._pieces([[account] for account in accounts]):
            wanted = [_to_account(account) for account in piece]
            answers = self._ask(tb.ClientSync.create_accounts, wanted)
            for account, answer in zip(piece, answers, strict=True):
                if answer.status not in (_ACCOUNT.CREATED, _ACCOUNT.EXISTS):
                    what = _ACCOUNT(answer.status).name.lower()
                    raise _differs(f"it answers {what} to account {account.id:032x}")
                times.append(answer.timestamp)
        return times

    def post(self, transfers: Sequence[Transfer]) -> list[int]:
        """Make transfers, chain by chain as they are linked, and give the cluster's time of each.

        Shape: a chain that is there already is left as it is.
        """
        times: list[int] = []
        for piece in self._pieces(_chains(transfers)):
            wanted = [_to_transfer(transfer) for transfer in piece]
            answers = self._ask(tb.ClientSync.create_transfers, wanted)
            if all(answer.status == _TRANSFER.CREATED for answer in answers):
                times += [answer.timestamp for answer in answers]
            else:
                times += self._posted_before(piece)
        return times

    def _posted_before(self, transfers: Sequence[Transfer]) -> list[int]:
        """Give the times of transfers of which some were there already; post those that were not.

        Shape: each chain is there as a whole or not at all, for so the cluster makes them.
        """
        missing = self._missing(transfers)
        for piece in self._pieces(_chains(missing)):
            wanted = [_to_transfer(transfer) for transfer in piece]
            self._ask(tb.ClientSync.create_transfers, wanted)
        found = self.transfers([transfer.id for transfer in transfers])
        for transfer in transfers:
            kept = found.get(transfer.id)
            if kept is None:
                raise _differs(f"it refuses transfer {transfer.id:032x}")
            if kept.transfer != transfer:
                raise _differs(f"it has transfer {transfer.id:032x} otherwise")
        return [found[transfer.id].cluster_ns for transfer in transfers]

    def _missing(self, transfers: Sequence[Transfer]) -> list[Transfer]:
        found = self.transfers([transfer.id for transfer in transfers])
        return [transfer for transfer in transfers if transfer.id not in found]

    def accounts(self, idents: Sequence[int]) -> dict[int, KeptAccount]:
        """Get the accounts that exist under these ids."""
        found: dict[int, KeptAccount] = {}
        for piece in self._pieces([[ident] for ident in idents]):
            rows = self._ask(tb.ClientSync.lookup_accounts, piece)
            found.update((row.id, _kept_account(row)) for row in rows)
        return found

    def transfers(self, idents: Sequence[int]) -> dict[int, KeptTransfer]:
        """Get the transfers that exist under these ids."""
        found: dict[int, KeptTransfer] = {}
        for piece in self._pieces([[ident] for ident in idents]):
            rows = self._ask(tb.ClientSync.lookup_transfers, piece)
            found.update((row.id, _kept_transfer(row)) for row in rows)
        return found

    def every_account(self) -> Iterator[KeptAccount]:
        """Give every account in the order of opening."""
        after = 0
        while page := self._ask(tb.ClientSync.query_accounts, _after(after)):
            yield from map(_kept_account, page)
            after = page[-1].timestamp

    def every_transfer(self) -> Iterator[KeptTransfer]:
        """Give every transfer in the order of posting."""
        after = 0
        while page := self._ask(tb.ClientSync.query_transfers, _after(after)):
            yield from map(_kept_transfer, page)
            after = page[-1].timestamp

    def newest_transfer(self) -> KeptTransfer | None:
        """Give the transfer posted last."""
        newest = tb.QueryFilter(0, 0, 0, 0, 0, 0, 0, 1, tb.QueryFilterFlags.REVERSED)
        found = self._ask(tb.ClientSync.query_transfers, newest)
        return _kept_transfer(found[0]) if found else None

    def close(self) -> None:
        """Let go of the connection."""
        session, self._session = self._session, None
        if session is not None:
            client, asking = session
            client.close()  # Whoever waits for an answer hears that there is none.
            asking.shutdown()

    def _pieces(self, groups: Sequence[Sequence[T]]) -> Iterator[list[T]]:
        """Join groups to requests, none of them cut; how much fits is learnt from the cluster."""
        piece: list[T] = []
        for group in groups:
            if piece and len(piece) + len(group) > self._most:
                yield piece
                piece = []
            piece += group
        if piece:
            yield piece

    def _ask(self, what: Callable[[tb.ClientSync, Given], T], given: Given) -> T:
        """Wait for an answer as long as it makes sense: the client would wait for ever."""
        try:
            client, asking = self._session or self._open()
            return asking.submit(what, client, given).result(self._answer_seconds)
        except TimeoutError:
            self.close()
            raise Unavailable("cluster-unreachable", "the cluster does not answer") from None
        except (ClientReleaseTooLowError, ClientReleaseTooHighError) as fault:
            self.close()
            detail = f"the cluster takes another version of its client: {fault}"
            raise ClusterDiffers("cluster-version", detail) from fault
        except (ClientEvictedError, ClientClosedError) as fault:
            self.close()
            raise Unavailable("cluster-unreachable", f"the cluster said: {fault}") from fault

    def _open(self) -> tuple[tb.ClientSync, ThreadPoolExecutor]:
        """Open a session, and learn how many rows the cluster takes in one request."""
        try:
            client = tb.ClientSync(self._cluster, self._addresses)
        except (InitError, UnicodeEncodeError) as fault:
            detail = f"[books] addresses: {self._addresses!r} cannot be used: {fault}"
            raise BadConfig("cluster-addresses", detail) from fault
        self._session = client, ThreadPoolExecutor(1, "farthing-cluster")
        self._most = REQUEST_MAX
        while not self._ask(_takes, self._most):
            self._most //= 2
        return self._session


def _takes(client: tb.ClientSync, rows: int) -> bool:
    """Tell whether so many rows fit into a request; these have no id, so that nothing is made."""
    try:
        client.create_transfers([tb.Transfer()] * rows)
    except TooMuchDataError:
        return False
    return True


def _differs(what: str) -> ClusterDiffers:
    return ClusterDiffers("cluster-differs", f"the cluster does not fit these books: {what}")


def _after(cluster_ns: int) -> tb.QueryFilter:
    return tb.QueryFilter(0, 0, 0, 0, 0, cluster_ns + 1, 0, REQUEST_MAX, tb.QueryFilterFlags.NONE)


def _chains(transfers: Sequence[Transfer]) -> list[list[Transfer]]:
    """Part transfers where no link is."""
    chains: list[list[Transfer]] = []
    goes_on = False
    for transfer in transfers:
        if goes_on:
            chains[-1].append(transfer)
        else:
            chains.append([transfer])
        goes_on = bool(transfer.flags & _LINKED)
    return chains


def _to_account(account: Account) -> tb.Account:
    return tb.Account(
        id=account.id,
        ledger=account.ledger,
        code=account.code,
        flags=tb.AccountFlags(account.flags),
        user_data_128=account.user_data,
        user_data_64=account.timestamp,
    )


def _kept_account(row: tb.Account) -> KeptAccount:
    account = Account(
        row.id, row.ledger, row.code, int(row.flags), row.user_data_128, row.user_data_64,
        row.debits_pending, row.debits_posted, row.credits_pending, row.credits_posted,
    )  # fmt: skip
    return KeptAccount(account, row.timestamp)


def _to_transfer(transfer: Transfer) -> tb.Transfer:
    flags = transfer.flags
    kind = transfer.timeout if flags & _PENDING else _PLAIN
    if flags & _EXPIRED:
        flags, kind = flags & ~_EXPIRED | _VOID, _RAN_OUT
    return tb.Transfer(
        id=transfer.id,
        debit_account_id=transfer.debit_account_id,
        credit_account_id=transfer.credit_account_id,
        amount=transfer.amount,
        pending_id=transfer.pending_id,
        user_data_128=transfer.user_data,
        user_data_64=transfer.timestamp,
        user_data_32=kind,
        ledger=transfer.ledger,
        code=transfer.code,
        flags=tb.TransferFlags(flags),
    )


def _kept_transfer(row: tb.Transfer) -> KeptTransfer:
    flags, timeout = int(row.flags), 0
    if flags & _PENDING:
        timeout = row.user_data_32
    elif flags & _VOID and row.user_data_32 == _RAN_OUT:
        flags = flags & ~_VOID | _EXPIRED
    transfer = Transfer(
        row.id, row.debit_account_id, row.credit_account_id, row.amount, row.ledger, row.code,
        flags, row.pending_id, row.user_data_128, timeout, row.user_data_64,
    )  # fmt: skip
    return KeptTransfer(transfer, row.timestamp)
