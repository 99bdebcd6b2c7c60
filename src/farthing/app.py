"""The composition root: the one place that knows every part and puts a hub together."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from farthing.books.cluster import Cluster
from farthing.books.cluster_rows import name_of_books
from farthing.books.cluster_writing import Settle
from farthing.books.door import Door, Joined
from farthing.books.own_process import OwnProcess, Setup
from farthing.books.sql import KeptBy, SqlBooks
from farthing.clock import NS, Clock, system_clock
from farthing.core.accounts import ACCOUNTS, ASSETS, AssetRecord
from farthing.core.decisions import Unit
from farthing.core.fees import HUB, FeeTerms
from farthing.core.identity import (
    CERTIFICATES,
    AcceptRollback,
    AdmitKey,
    certificate_fault,
    certify,
)
from farthing.core.records import Table
from farthing.errors import BadConfig, FarthingError, PlugMissing
from farthing.hub_keys import KeyRing
from farthing.keys import Ed25519Signer, Signer, fingerprint
from farthing.observe.hub_watch import HubWatch
from farthing.observe.tracing import Tracing
from farthing.observing import Faults, Observed
from farthing.passphrases import KeysPassphrase
from farthing.services.access import Access
from farthing.services.batches import Batches
from farthing.services.context import Context, HubIdentity
from farthing.services.desk import Desk
from farthing.services.heads import HeadsFile, check_not_rolled_back, newest_kept
from farthing.services.payments import EmbeddedHub, Payments
from farthing.services.sessions import Sessions
from farthing.settings import Config
from farthing.store.database import Database, Tx
from farthing.store.mapping import mapping
from farthing.store.migrate import migrate
from farthing.store.sqlite import SqliteDatabase
from farthing.threads import Threads
from farthing.worker import Worker

log = structlog.get_logger()

_THREADS = {"read": 4, "write": 1, "verify": 2}


@dataclass(frozen=True, slots=True)
class Ground:
    """What a hub stands on, where that is not this machine itself.

    Shape: `threads` makes some, `vfs` names SQLite's disk, and `cluster` stands for the one that
           is configured.
    """

    threads: Callable[[int, str], Threads] = Threads
    vfs: str | None = None
    cluster: Cluster | None = None


@dataclass(slots=True)
class Hub:
    """A running hub."""

    desk: Desk
    worker: Worker
    books: SqlBooks
    heads: HeadsFile
    threads: list[Threads]
    challenge_secrets: list[bytes]
    cluster: Cluster | None = None

    @property
    def ctx(self) -> Context:
        """What services need."""
        return self.desk.ctx

    def embedded(self) -> EmbeddedHub:
        """Give the hub as a paywall in this process sees it."""
        return EmbeddedHub(self.desk.payments, self.ctx)

    async def close(self) -> None:
        """Finish what was accepted, then let go of everything."""
        self.desk.closing = True
        self.ctx.committed.give()
        await self.worker.stop()
        await self.books.close()
        for threads in self.threads:  # Before the database: a late read would wait for ever.
            await asyncio.to_thread(threads.close)
        _close(self.cluster)
        self.ctx.database.close()
        self.heads.close()


def key_ring(config: Config) -> KeyRing:
    """Give the hub's keys, which may be under a passphrase."""
    return KeyRing(config.path("keys"), passphrase_of(config))


def passphrase_of(config: Config) -> KeysPassphrase:
    """Give the passphrase of the hub's keys, as it is configured."""
    told = config.keys.passphrase_file
    return KeysPassphrase("the hub's keys", config.path(told) if told else None)


def open_database(
    config: Config, readers: Threads, vfs: str | None = None, door: Door | None = None
) -> Database:
    """Open the configured database and bring it forward.

    Shape:  behind a `door` another process writes for this one and others.
    Raises: PlugMissing, BadConfig, Unavailable.
    """
    path, lock = config.path(config.books.path), os.dup(door.lock) if door else None
    database = (
        SqliteDatabase(path, readers, vfs, lock=lock, shared=door is not None)
        if config.books.in_file
        else _postgres(config, readers)
    )
    try:
        migrate(database)
    except BaseException:
        database.close()  # Or whoever is told why would hold the lock of the books on.
        raise
    return database


def open_cluster(config: Config) -> Cluster | None:
    """Give the cluster that keeps the money, if one does; it is connected when it is asked.

    Raises: PlugMissing.
    """
    if config.books.engine != "tigerbeetle":
        return None
    try:
        from farthing.books.tigerbeetle import TigerBeetle  # noqa: PLC0415
    except ModuleNotFoundError:
        detail = "run: pip install 'farthing[tigerbeetle]'"
        raise PlugMissing("tigerbeetle-missing", detail) from None
    return TigerBeetle(config.books.addresses, int(config.books.cluster))


def open_to_read(config: Config, readers: Threads) -> Database:
    """Open the configured database for reading only, beside a running hub or without one.

    Raises: PlugMissing, BadConfig, Unavailable.
    """
    if config.books.in_file:
        return SqliteDatabase(config.path(config.books.path), readers, read_only=True)
    return _postgres(config, readers)


def _postgres(config: Config, readers: Threads) -> Database:
    try:
        from farthing.store.postgres import PostgresDatabase  # noqa: PLC0415
    except ModuleNotFoundError:
        raise PlugMissing("postgres-missing", "run: pip install 'farthing[postgres]'") from None
    return PostgresDatabase(config.books.dsn, readers)


async def open_hub(
    config: Config,
    *,
    clock: Clock = system_clock,
    random_bits: Callable[[int], int] = secrets.randbits,
    accept_rollback: bool = False,
    tracing: Tracing | None = None,
    root: Signer | None = None,
    serves: bool = False,
    ground: Ground | None = None,
    door: Door | None = None,
) -> Hub:
    """Put a hub together and start its worker.

    Shape:  `root` certifies a new signing key where the root key is kept elsewhere;
            whoever gives `tracing` closes it; a hub that `serves` writes its books in a process
            of its own where the configuration has it so, or behind a `door`, and a command's does
            not; it stands on this machine if there is no other `ground`.
    Raises: BadConfig when it was never initialised, its books are older than their heads, or
            its signing key is not certified and the root key is away.
    """
    ring = key_ring(config)
    if not ring.exists:
        raise BadConfig("hub-not-initialised", f"there is no hub in {config.folder}")
    signer, root_public = ring.signing(), ring.root_public()
    challenge_secrets = ring.challenge_secrets()
    watch, faults = HubWatch(config.books.engine, tracing), Faults()
    ground = ground or Ground()
    threads = [ground.threads(count, f"farthing-{what}") for what, count in _THREADS.items()]
    readers, writer, verifiers = threads
    loop = asyncio.get_running_loop()
    ctx_ready: list[Context] = []

    def committed() -> None:
        loop.call_soon(ctx_ready[0].committed.give)

    async with contextlib.AsyncExitStack() as opened:
        for each in threads:
            opened.callback(each.close, wait=False)
        database = open_database(config, readers, ground.vfs, door)
        opened.callback(database.close)
        heads = HeadsFile(config.path(config.audit.heads_path), on_fault=faults.heads_not_noted)
        opened.callback(heads.close)
        lost = check_not_rolled_back(
            database, heads, accept=accept_rollback, root_public=root_public
        )
        cluster = ground.cluster or _cluster_of(config, database)
        opened.callback(_close, cluster)
        books = SqlBooks(
            database,
            lambda: signer,
            clock,
            writer,
            heads.append,
            committed,
            on_batch=watch.committed,
            newest=newest_kept(database, heads),
            kept_by=None if cluster is None else KeptBy(cluster, lambda: random_bits(128)),
        )
        opened.push_async_callback(books.close)
        assets = database.transact(lambda tx: _settle_assets(tx, config))
        identity = HubIdentity(fingerprint(root_public), root_public, {})
        fees = database.transact(lambda tx: _fees(tx, config))
        ctx = Context(
            books, database, clock, random_bits, verifiers, identity, assets, watch=watch, fees=fees
        )
        ctx_ready.append(ctx)
        if cluster is not None:
            await books.commit_one(Settle())
        if door is not None and isinstance(database, SqliteDatabase):
            setup = _setup(config, database, signer)
            await _join(setup, door, ctx, (watch.committed, faults.heads_not_noted), books)
        await _admit(ctx, lambda: root or ring.root(), signer, lost)
        if serves and not door and isinstance(database, SqliteDatabase) and _has_room(config):
            setup = _setup(config, database, signer)
            books.hand_over(await _beside(setup, clock, (heads.append, watch.committed)))
        opened.pop_all()  # From here on it is the hub that closes them.
    if lost:
        log.warning("hub.rollback_accepted", lost_head=lost, hint="payments made since are gone")
    payments = Payments(ctx)
    desk = Desk(ctx, config, payments, Sessions(ctx, payments), Batches(ctx, payments), Access(ctx))
    worker = Worker(ctx, books.probe)
    observed = Observed(watch, desk, worker, books, faults)
    desk.metrics, desk.fault = observed.page, observed.fault
    hub = Hub(desk, worker, books, heads, threads, challenge_secrets, cluster)
    hub.worker.start()
    return hub


def _cluster_of(config: Config, database: Database) -> Cluster | None:
    """Give the cluster of these books, if one keeps their money.

    Raises: PlugMissing; BadConfig `books-of-cluster` where one does that is not configured.
    """
    if config.books.engine != "tigerbeetle" and database.transact(name_of_books) is not None:
        detail = "a cluster keeps the money of these books: name it in [books] engine and addresses"
        raise BadConfig("books-of-cluster", detail)
    return open_cluster(config)


def _close(cluster: Cluster | None) -> None:
    if cluster is not None:
        cluster.close()


def _has_room(config: Config) -> bool:
    """Tell whether the books are written by a process of their own: not beside a cluster."""
    if config.books.engine != "sqlite":
        return False
    if config.books.own_process == "auto":
        return len(os.sched_getaffinity(0)) > 1 if hasattr(os, "sched_getaffinity") else True
    return config.books.own_process == "always"


async def _beside(setup: Setup, clock: Clock, told: Any) -> OwnProcess:
    """Start the process that writes from here on; what is written until then stays ours."""
    process = OwnProcess(setup, clock, *told)
    await process.start()
    return process


async def _join(setup: Setup, door: Door, ctx: Context, told: Any, books: SqlBooks) -> None:
    """Have everything written, from here on, by the process that does so for several hubs."""
    joined = Joined(setup, ctx.clock, door, *told)
    await joined.start()
    books.hand_over(joined)
    if isinstance(ctx.database, SqliteDatabase):
        ctx.database.ask_once = joined.use_once


def _setup(config: Config, database: SqliteDatabase, signer: Signer) -> Setup:
    path, heads = config.path(config.books.path), config.path(config.audit.heads_path)
    log_settings = (config.log.format, config.log.level)
    return Setup(str(path), database.lock, signer, log_settings, heads=str(heads))


def _settle_assets(tx: Tx, config: Config) -> dict[str, Any]:
    known = {row.code: row for row in _all(tx, ASSETS)}
    for code, asset in config.asset_table().items():
        if code not in known:
            ledger = 1 + max((row.ledger for row in known.values()), default=0)
            known[code] = AssetRecord(code, asset.scale, ledger)
            tx.put(ASSETS, [known[code]])
        elif known[code].scale != asset.scale:
            raise BadConfig(
                "asset-scale-changed",
                f"{code} is counted at scale {known[code].scale}, and that never changes",
            )
    return config.asset_table()


def _fees(tx: Tx, config: Config) -> dict[str, FeeTerms]:
    """Give what the hub takes of payments, by asset.

    Raises: BadConfig `fee-account-unknown`.
    """
    found: dict[str, FeeTerms] = {}
    for code, fee in config.fees.items():
        account = tx.fetch(ACCOUNTS, [fee.account]).get(fee.account)
        if account is None or account.asset != code:
            place = config.place(f"fees.{code}", "account")
            detail = f"{place}: there is no account {fee.account} here that counts {code}"
            raise BadConfig("fee-account-unknown", detail)
        flat, minimum = config.fee_units(code)
        found[code] = FeeTerms(
            of=HUB,
            account=fee.account,
            ppm=fee.ppm,
            flat=flat,
            minimum=minimum,
            rounding=fee.rounding,
            on_refund=fee.on_refund,
        )
    return found


def _all(tx: Tx, table: Table[Any]) -> list[Any]:
    mapped = mapping(table)
    return [mapped.row(row) for row in tx.rows(mapped.select)]


async def _admit(
    ctx: Context, root: Callable[[], Signer], signer: Signer, lost: str | None
) -> None:
    """Put a new signing key and an accepted rollback on record, in one commit: a head of the one
    without the other would pass for books that were never rolled back.

    Raises: BadConfig `root-key-away` for a new key without the root; `another-root-key`.
    """
    rows = await ctx.database.read(lambda tx: _all(tx, CERTIFICATES))
    first: list[Unit[Any]] = [AcceptRollback(lost)] if lost else []
    mine = next((row for row in rows if row.key == signer.public), None)
    if mine is None:
        mine = certify(root(), signer.public, ctx.clock() // NS - 1)
        rows.append(mine)
        first.insert(0, AdmitKey(mine))
    for row in rows:  # Also those of older keys: a new key of another hub's root fits by itself.
        wrong = certificate_fault(row, ctx.identity.root_public)
        if wrong is not None:
            raise BadConfig(
                "another-root-key", f"the certificate of {row.key} does not fit: {wrong}"
            )
    for answer in await ctx.books.commit(first):
        if isinstance(answer, FarthingError):
            raise answer
    ctx.identity.certificates.update({row.key: row for row in rows})


__all__ = ["Ed25519Signer", "Ground", "Hub", "KeyRing", "key_ring", "open_database", "open_hub"]
