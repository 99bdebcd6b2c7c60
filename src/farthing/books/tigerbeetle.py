# pyright: reportCallIssue=false
"""A TigerBeetle cluster by its official client: rows of the books there and back.

What TigerBeetle has no field for stands in its `user_data`: 64 bits are the book's time, 32 bits
the timeout of a hold, or what kind of ending a row is. Zero would be filled in by the cluster.
The client's records are dataclasses by a way that a type checker cannot follow.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

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
from farthing.core.ledger import Account, Transfer, TransferFlags, canonical_account
from farthing.errors import BadConfig, Unavailable

T = TypeVar("T")
Given = TypeVar("Given")
Row = TypeVar("Row", Account, Transfer)
Made = tuple[list[Given], list[T]]
"""Rows that were asked for in one request, and what was answered."""

REQUEST_MAX = 8189
"""So many rows fit into a request of a cluster that is set up as usual."""
ANSWER_SECONDS = 5.0
"""So long an answer is waited for; two replicas of three elect another primary in less."""

_LINKED, _PENDING = int(TransferFlags.LINKED), int(TransferFlags.PENDING)
_VOID, _EXPIRED = int(TransferFlags.VOID_PENDING), int(TransferFlags.EXPIRED)
_PLAIN, _RAN_OUT = 1, 2


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
        for piece, answers in self._open_each(accounts):
            if all(answer.status == tb.CreateAccountStatus.CREATED for answer in answers):
                times += [answer.timestamp for answer in answers]
            else:
                times += self._opened_before(piece)
        return times

    def _opened_before(self, accounts: Sequence[Account]) -> list[int]:
        """Give the times of accounts of which some were there already; open those that were not."""
        idents = [account.id for account in accounts]
        known = self.accounts(idents)
        for _ in self._open_each([account for account in accounts if account.id not in known]):
            pass  # What became of them is seen below.
        found = self.accounts(idents)
        for account in accounts:
            kept = found.get(account.id)
            if kept is None:
                raise _differs(f"it refuses account {account.id:032x}")
            if canonical_account(kept.account) != canonical_account(account):
                raise _differs(f"it has account {account.id:032x} otherwise")
        return [found[ident].cluster_ns for ident in idents]

    def post(self, transfers: Sequence[Transfer]) -> list[int]:
        """Make transfers, chain by chain as they are linked, and give the cluster's time of each.

        Shape: a chain that is there already is left as it is.
        """
        times: list[int] = []
        for piece, answers in self._make_each(transfers):
            if all(answer.status == tb.CreateTransferStatus.CREATED for answer in answers):
                times += [answer.timestamp for answer in answers]
            else:
                times += self._posted_before(piece)
        return times

    def _posted_before(self, transfers: Sequence[Transfer]) -> list[int]:
        """Give the times of transfers of which some were there already; post those that were not.

        Shape: each chain is there as a whole or not at all, for so the cluster makes them.
        """
        idents = [transfer.id for transfer in transfers]
        known = self.transfers(idents)
        for _ in self._make_each([transfer for transfer in transfers if transfer.id not in known]):
            pass  # What became of them is seen below.
        found = self.transfers(idents)
        for transfer in transfers:
            kept = found.get(transfer.id)
            if kept is None:
                raise _differs(f"it refuses transfer {transfer.id:032x}")
            if kept.transfer != transfer:
                raise _differs(f"it has transfer {transfer.id:032x} otherwise")
        return [found[ident].cluster_ns for ident in idents]

    def accounts(self, idents: Sequence[int]) -> dict[int, KeptAccount]:
        """Get the accounts that exist under these ids."""
        found: dict[int, KeptAccount] = {}
        for _, rows in self._each(tb.ClientSync.lookup_accounts, [[i] for i in idents], int):
            found.update((row.id, _kept_account(row)) for row in rows)
        return found

    def transfers(self, idents: Sequence[int]) -> dict[int, KeptTransfer]:
        """Get the transfers that exist under these ids."""
        found: dict[int, KeptTransfer] = {}
        for _, rows in self._each(tb.ClientSync.lookup_transfers, [[i] for i in idents], int):
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

    def _open_each(self, accounts: Sequence[Account]) -> Iterator[Made[Account, Any]]:
        return self._each(tb.ClientSync.create_accounts, _chains(accounts), _to_account)

    def _make_each(self, transfers: Sequence[Transfer]) -> Iterator[Made[Transfer, Any]]:
        return self._each(tb.ClientSync.create_transfers, _chains(transfers), _to_transfer)

    def _each(
        self,
        what: Callable[[tb.ClientSync, list[Any]], list[T]],
        groups: Sequence[Sequence[Given]],
        written: Callable[[Given], Any],
    ) -> Iterator[Made[Given, T]]:
        """Ask for groups, none of them cut, as many at once as the cluster is found to take."""
        done = 0
        while done < len(groups):
            until, piece = done + 1, list(groups[done])
            while until < len(groups) and len(piece) + len(groups[until]) <= self._most:
                piece += groups[until]
                until += 1
            try:
                answers = self._ask(what, [written(row) for row in piece])
            except TooMuchDataError as fault:
                if until == done + 1:
                    raise _differs(f"it takes no chain of {len(piece)}") from fault
                self._most = min(self._most, len(piece)) // 2
                continue
            yield piece, answers
            done = until

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
        """Open a session."""
        try:
            client = tb.ClientSync(self._cluster, self._addresses)
        except (InitError, UnicodeEncodeError) as fault:
            detail = f"[books] addresses: {self._addresses!r} cannot be used: {fault}"
            raise BadConfig("cluster-addresses", detail) from fault
        self._session = client, ThreadPoolExecutor(1, "farthing-cluster")
        return self._session


def _differs(what: str) -> ClusterDiffers:
    return ClusterDiffers("cluster-differs", f"the cluster does not fit these books: {what}")


def _after(cluster_ns: int) -> tb.QueryFilter:
    return tb.QueryFilter(0, 0, 0, 0, 0, cluster_ns + 1, 0, REQUEST_MAX, tb.QueryFilterFlags.NONE)


def _chains(rows: Sequence[Row]) -> list[list[Row]]:
    """Part rows where no link is."""
    chains: list[list[Row]] = []
    goes_on = False
    for row in rows:
        if goes_on:
            chains[-1].append(row)
        else:
            chains.append([row])
        goes_on = bool(row.flags & _LINKED)
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
