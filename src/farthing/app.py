"""The composition root: the one place that knows every part and puts a hub together."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import structlog

from farthing.books.cluster import Cluster
from farthing.books.cluster_writing import Settle
from farthing.books.door import Door
from farthing.books.sql import KeptBy, SqlBooks
from farthing.clock import Clock, system_clock
from farthing.core.bounds import Bounds
from farthing.errors import BadConfig
from farthing.hand_over import join_writer, start_writer
from farthing.keys import Signer, fingerprint
from farthing.observe.hub_watch import HubWatch
from farthing.observe.tracing import Tracing
from farthing.observing import Faults, Observed
from farthing.on_record import admit, fees_in_force, settle_assets
from farthing.opening import cluster_of, key_ring, open_database
from farthing.organisations import organisation_of
from farthing.rails.base import Rail
from farthing.rails.simulated import Simulated
from farthing.risk.settings import judges_of, scores
from farthing.services.access import Access
from farthing.services.batches import Batches
from farthing.services.context import Context, HubIdentity
from farthing.services.desk import Desk
from farthing.services.heads import HeadsFile, check_not_rolled_back, newest_kept
from farthing.services.model_shelf import shelf_of
from farthing.services.notices import Notices
from farthing.services.payments import EmbeddedHub, Payments
from farthing.services.people import People
from farthing.services.recalling import Recalling
from farthing.services.scoring import Scoring
from farthing.services.sessions import Sessions
from farthing.settings import Config
from farthing.store.closing import check_open
from farthing.telling_ways import ways_of
from farthing.threads import Threads
from farthing.web.pages.place import people_url
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
    recalling: Recalling
    cluster: Cluster | None = None
    scoring: Scoring | None = None

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
        await self.desk.movements.close()
        await self.desk.notices.close()
        await self.desk.trials.stop()
        if self.desk.organisation is not None:
            await self.desk.organisation.close()
        await self.recalling.stop()
        if self.scoring is not None:
            await self.scoring.stop()
        await self.worker.stop()
        await self.books.close()
        for threads in self.threads:  # Before the database: a late read would wait for ever.
            await asyncio.to_thread(threads.close)
        _close(self.cluster)
        self.ctx.database.close()
        self.heads.close()


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
    signer, root_public, judges = ring.signing(), ring.root_public(), judges_of(config.risk)
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
        database.transact(check_open)
        heads = HeadsFile(config.path(config.audit.heads_path), on_fault=faults.heads_not_noted)
        opened.callback(heads.close)
        lost = check_not_rolled_back(
            database, heads, accept=accept_rollback, root_public=root_public
        )
        cluster = ground.cluster or cluster_of(config, database)
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
            judges=judges,
        )
        opened.push_async_callback(books.close)
        ctx = Context(
            books,
            database,
            clock,
            random_bits,
            verifiers,
            HubIdentity(fingerprint(root_public), root_public, {}),
            database.transact(lambda tx: settle_assets(tx, config)),
            watch=watch,
            fees=database.transact(lambda tx: fees_in_force(tx, config)),
        )
        ctx_ready.append(ctx)
        if cluster is not None:
            await books.commit_one(Settle())
        if door is not None:
            told = (watch.committed, faults.heads_not_noted)
            await join_writer(books, ctx, config, signer, door, told)
        await admit(ctx, lambda: root or ring.root(), signer, lost)
        if serves and door is None:
            await start_writer(books, ctx, config, signer, heads.append, watch.committed)
        recalling = Recalling(books.recall)
        if serves and judges is not None:
            opened.push_async_callback(recalling.stop)
            await recalling.begin()
        opened.pop_all()  # From here on it is the hub that closes them.
    if lost:
        log.warning("hub.rollback_accepted", lost_head=lost, hint="payments made since are gone")
    notices = _notices(ctx, config, ring.notice_secret)
    worker = Worker(ctx, books.probe)
    scoring = _scoring(ctx, books, worker, ground, threads, config if serves else None)
    desk = _desk(ctx, config, challenge_secrets, notices, scoring)
    observed = Observed(watch, desk, worker, books, faults, scoring)
    desk.metrics, desk.fault = observed.page, observed.fault
    worker.start()
    return Hub(desk, worker, books, heads, threads, challenge_secrets, recalling, cluster, scoring)


def _scoring(
    ctx: Context,
    books: SqlBooks,
    worker: Worker,
    ground: Ground,
    threads: list[Threads],
    config: Config | None,
) -> Scoring | None:
    """Have orders scored by a thread of its own, where somebody would hear of it."""
    if config is None or not scores(config.risk):
        return None
    threads.append(ground.threads(1, "farthing-score"))
    shelf = shelf_of(config, ctx.identity.certificates.__contains__)
    scoring = Scoring(ctx, shelf, books.heed, threads[-1], lambda: worker.looks)
    scoring.start()
    return scoring


def _desk(
    ctx: Context,
    config: Config,
    secrets_: list[bytes],
    notices: Notices,
    scoring: Scoring | None,
) -> Desk:
    payments = Payments(ctx)
    return Desk(
        ctx,
        config,
        payments,
        Sessions(ctx, payments),
        Batches(ctx, payments),
        Access(ctx),
        People(ctx, secrets_),
        notices,
        rails=_rails(config),
        organisation=organisation_of(config, ctx, secrets_),
        scorers=scoring.scorers if scoring is not None else None,
    )


def _notices(ctx: Context, config: Config, read_secret: Callable[[], bytes]) -> Notices:
    url, secret = people_url(config), cache(read_secret)
    ways = ways_of(config, ctx.clock, secret, url)
    return Notices(ctx, ways, url, secret, config.passkey_limits())


def _rails(config: Config) -> dict[str, Rail]:
    if not config.rails.simulated:
        return {}
    rails = config.rails
    bounds = Bounds(rails.simulated_top_up_max, rails.simulated_open_max)
    return {Simulated.name: Simulated(config.path("simulated-rail.log"), bounds)}


def _close(cluster: Cluster | None) -> None:
    if cluster is not None:
        cluster.close()
