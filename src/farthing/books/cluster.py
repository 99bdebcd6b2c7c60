"""What the books ask of a cluster that keeps the money, and what they get back from it.

The books decide and the cluster counts: it is handed rows that were decided here, and holds every
limit once more by itself. It never lets a hold run out on its own; the row of an expiry is posted
to it like any other, so that the book's time is the only time there is.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from farthing.core.ledger import Account, Transfer
from farthing.errors import Unavailable

CHAIN_MAX = 24
"""So many linked rows fit into one request of any cluster: TigerBeetle's smallest is of 4 KiB.
A payment under as many budgets as there can be, with its fees, makes 20."""


class KeptAccount(NamedTuple):
    """An account as the cluster has it, with its counters, and the cluster's time of its opening.

    Units: `account.timestamp` is the book's time, `cluster_ns` the cluster's, both in ns.
    """

    account: Account
    cluster_ns: int


class KeptTransfer(NamedTuple):
    """A transfer as the cluster has it, and the cluster's time of it.

    Units: `transfer.timestamp` is the book's time, `cluster_ns` the cluster's, both in ns.
    """

    transfer: Transfer
    cluster_ns: int


class ClusterDiffers(Unavailable):
    """The cluster and the books do not fit together: nothing more is paid until somebody looks."""

    title = "The cluster does not agree with the books"


class Cluster(Protocol):
    """Accounts and transfers on several machines; used by one thread at a time.

    Raises: Unavailable `cluster-unreachable` from every method when no answer comes in time: what
            was asked for may still happen, once.
    """

    def open_accounts(self, accounts: Sequence[Account]) -> list[int]:
        """Open accounts that are not there yet, and give the cluster's time of each.

        Raises: ClusterDiffers when it has one of them otherwise.
        """
        ...

    def post(self, transfers: Sequence[Transfer]) -> list[int]:
        """Make transfers, chain by chain as they are linked, and give the cluster's time of each.

        Shape:  a chain that is there already is left as it is.
        Raises: ClusterDiffers when it refuses one, or has it otherwise.
        """
        ...

    def accounts(self, idents: Sequence[int]) -> dict[int, KeptAccount]:
        """Get the accounts that exist under these ids."""
        ...

    def transfers(self, idents: Sequence[int]) -> dict[int, KeptTransfer]:
        """Get the transfers that exist under these ids."""
        ...

    def every_account(self) -> Iterator[KeptAccount]:
        """Give every account in the order of opening."""
        ...

    def every_transfer(self) -> Iterator[KeptTransfer]:
        """Give every transfer in the order of posting."""
        ...

    def newest_transfer(self) -> KeptTransfer | None:
        """Give the transfer posted last."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...
