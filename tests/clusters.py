"""A TigerBeetle for tests, where there is one: given by its address, or an executable on PATH.

Tests share a server, and each its own part of it: ids are moved by a number that is a test's own.
"""

import atexit
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import msgspec
import pytest

from farthing.books.cluster import Cluster, KeptAccount, KeptTransfer
from farthing.books.sql import KeptBy
from farthing.core.ledger import Account, Transfer
from farthing.store.postgres import PostgresDatabase
from farthing.store.sqlite import SqliteDatabase
from farthing.testing.fake_cluster import FakeCluster
from farthing.threads import Threads

ADDRESS = "FARTHING_TEST_TIGERBEETLE"
_STARTS_SECONDS = 60
ABSENT = f"no tigerbeetle: put its executable on PATH, or give {ADDRESS}=127.0.0.1:PORT"


class Running:
    """A server's process, which may be killed and frozen."""

    _process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """End it as `kill -9` does, frozen or not."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Let it answer nothing, with all its connections open."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def wait_ready(self, address: str, seconds: float) -> None:
        """Wait until it listens, and no longer than it lives."""
        host, _, port = address.partition(":")
        until = time.monotonic() + seconds
        while self._process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
                return
            time.sleep(0.05)
        self.kill()
        raise TimeoutError(f"the tigerbeetle at {address} of these tests does not start")


class Server(Running):
    """One replica with its file, in a folder of its own; it is started with these options."""

    def __init__(self, executable: str, *options: str) -> None:
        self._executable, self._options = executable, options
        self._folder = Path(tempfile.mkdtemp(prefix="farthing-cluster-", dir="/tmp"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self._run("format", "--cluster=0", "--replica=0", "--replica-count=1")
        self.start()

    def _command(self, word: str, *options: str) -> list[str]:
        return [self._executable, word, *options, "--development", str(self._folder / "0")]

    def _run(self, *words: str) -> None:
        subprocess.run(self._command(*words), check=True, stderr=subprocess.DEVNULL)

    def start(self) -> None:
        """Start it with the file that it has, as after a kill."""
        command = self._command("start", f"--addresses={self.address}", *self._options)
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self.wait_ready(self.address, _STARTS_SECONDS)

    def close(self) -> None:
        """End it and leave nothing behind."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def own_server(*options: str) -> Server:
    """Give a server that a test may kill; skip where there is no executable."""
    executable = shutil.which("tigerbeetle")
    if executable is None:
        pytest.skip(ABSENT)
    return Server(executable, *options)


@cache
def shared_address() -> str | None:
    """Give the address of the server that tests share; None where there is none."""
    given = os.environ.get(ADDRESS)
    if given:
        return given
    executable = shutil.which("tigerbeetle")
    if executable is None:
        return None
    server = Server(executable)
    atexit.register(server.close)
    return server.address


def client_of(address: str) -> Cluster:
    """Give a client; skip where it is not installed."""
    pytest.importorskip("tigerbeetle")
    from farthing.books.tigerbeetle import TigerBeetle

    return TigerBeetle(address)


class Part:
    """A part of a cluster that looks like a whole one: each of its ids is moved by `by`.

    What is posted through it is remembered, as nothing else tells whose a row is.
    """

    def __init__(self, whole: Cluster, by: int) -> None:
        self._whole, self._by = whole, by
        self._opened: set[int] = set()
        self._posted: list[int] = []

    def open_accounts(self, accounts: Sequence[Account]) -> list[int]:
        self._opened.update(account.id for account in accounts)
        return self._whole.open_accounts([self._account(account) for account in accounts])

    def post(self, transfers: Sequence[Transfer]) -> list[int]:
        self._posted += [transfer.id for transfer in transfers]
        return self._whole.post([self._transfer(transfer) for transfer in transfers])

    def accounts(self, idents: Sequence[int]) -> dict[int, KeptAccount]:
        found = self._whole.accounts([ident ^ self._by for ident in idents])
        return {ident ^ self._by: self._kept_account(kept) for ident, kept in found.items()}

    def transfers(self, idents: Sequence[int]) -> dict[int, KeptTransfer]:
        found = self._whole.transfers([ident ^ self._by for ident in idents])
        return {ident ^ self._by: self._kept_transfer(kept) for ident, kept in found.items()}

    def every_account(self) -> Iterator[KeptAccount]:
        found = self.accounts(list(self._opened))
        yield from sorted(found.values(), key=lambda kept: kept.cluster_ns)

    def every_transfer(self) -> Iterator[KeptTransfer]:
        found = self.transfers(list(dict.fromkeys(self._posted)))
        yield from sorted(found.values(), key=lambda kept: kept.cluster_ns)

    def newest_transfer(self) -> KeptTransfer | None:
        for ident in reversed(self._posted):
            found = self.transfers([ident])
            if found:
                return found[ident]
        return None

    def close(self) -> None:
        """Leave the connection to others."""

    def _account(self, account: Account) -> Account:
        return msgspec.structs.replace(account, id=account.id ^ self._by)

    def _transfer(self, transfer: Transfer) -> Transfer:
        by = self._by
        return msgspec.structs.replace(
            transfer,
            id=transfer.id ^ by,
            debit_account_id=transfer.debit_account_id ^ by,
            credit_account_id=transfer.credit_account_id ^ by,
            pending_id=transfer.pending_id and transfer.pending_id ^ by,
        )

    def _kept_account(self, kept: KeptAccount) -> KeptAccount:
        return KeptAccount(self._account(kept.account), kept.cluster_ns)

    def _kept_transfer(self, kept: KeptTransfer) -> KeptTransfer:
        return KeptTransfer(self._transfer(kept.transfer), kept.cluster_ns)


@cache
def _shared_client() -> Cluster | None:
    address = shared_address()
    return None if address is None else client_of(address)


def a_part() -> Part:
    """Give an empty part of the shared cluster; skip where there is none."""
    whole = _shared_client()
    if whole is None:
        pytest.skip(ABSENT)
    return Part(whole, secrets.randbits(127))


def any_cluster() -> Cluster:
    """Give an empty part of the shared cluster, or one in memory where there is none."""
    return FakeCluster() if _shared_client() is None else a_part()


class Kept:
    """Records here, and the money in a part of a cluster."""

    cluster: Cluster

    @property
    def kept_by(self) -> KeptBy:
        """What books are told of it."""
        return KeptBy(self.cluster, lambda: secrets.randbits(127))


class KeptByCluster(Kept, SqliteDatabase):
    """Records in a file."""

    def __init__(self, path: Path, readers: Threads, part: Callable[[], Cluster] = a_part) -> None:
        self.cluster = part()
        super().__init__(path, readers)


class OnServerKeptByCluster(Kept, PostgresDatabase):
    """Records on a server."""

    def __init__(self, dsn: str, readers: Threads, cluster: Cluster) -> None:
        self.cluster = cluster
        super().__init__(dsn, readers)
