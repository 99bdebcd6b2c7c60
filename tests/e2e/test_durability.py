"""Durability, apart from crashes: the power fails, and whatever was not synced is gone.

`kill -9` leaves the operating system's memory alone and so proves nothing about the disk.
"""

import asyncio
import random
import secrets

import apsw
import pytest

from farthing.books.sql import SqlBooks
from farthing.core.payments import PAYMENTS, State
from farthing.errors import FarthingError
from farthing.services.audit import audit
from farthing.store.migrate import migrate
from farthing.store.queries import one
from farthing.store.sqlite import SqliteDatabase
from farthing.testing.lossy_vfs import LossyVfs
from farthing.testing.worlds import HandClock, World
from farthing.threads import Threads
from tests.conftest import SIGNER

PRICE = 3


class PowerCut:
    """Payments by several clients on a lossy disk, until the power fails after some operations."""

    def __init__(self, folder, seed, **disk):
        self.seed, self.random = seed, random.Random(seed)
        self.name = f"lossy-{secrets.token_hex(6)}"
        self.disk = LossyVfs(self.name, **disk)
        self.path = folder / f"{self.name}.db"
        self.answered, self.kept = [], []
        self.orders = []
        self.readers, self.writer = Threads(1), Threads(1)

    def open(self):
        database = SqliteDatabase(self.path, self.readers, vfs=self.name)
        migrate(database)
        books = SqlBooks(database, lambda: SIGNER, HandClock(), self.writer)
        return World(books, database, HandClock(), self.seed)

    async def load(self, world, operations):
        """Pay until the power fails; what was answered before it did is kept in mind."""
        world.begin()
        assert f"{self.path}-wal" in self.disk.names
        self.shop = await world.account()
        self.buyer = await world.spender(10_000_000)
        self.disk.cut_after(operations, lambda: self.kept.extend(self.answered))
        await asyncio.gather(*(self._client(world) for _ in range(8)))

    async def _client(self, world):
        while self.disk.is_on:
            signed = world.order(self.buyer, self.shop, PRICE)
            self.orders.append(signed)
            try:
                done = await world.do(world.authorise(self.buyer, signed))
            except (FarthingError, apsw.Error):
                return
            self.answered.append(done.payment.id)

    def crash(self, world):
        """Let the programme that went on unawares end, and give the disk back."""
        try:
            world.database.close()
        finally:
            self.disk.power_on()

    async def lost(self, world):
        """List what was answered before the power failed and is not there any more."""
        found = await world.database.read(
            lambda tx: {ident: one(tx, PAYMENTS, ident) for ident in self.kept}
        )
        return [i for i, p in found.items() if p is None or p.state is not State.CAPTURED]

    def close(self):
        self.readers.close()
        self.writer.close()


async def _cut(folder, seed, **disk):
    """Cut the power at a random operation; give what was lost and the audit's word."""
    story = PowerCut(folder, seed, **disk)
    try:
        world = story.open()
        await story.load(world, story.random.randrange(4, 400))
        story.crash(world)
        world = story.open()
        lost = await story.lost(world)
        told = await audit(world.database, None)
        await _again(story, world)
        world.database.close()
    finally:
        story.close()
        story.disk.unregister()
    return len(story.kept), lost, told.text


async def _again(story, world):
    """Send every order once more: those that are there stay one, the others become one."""
    for signed in story.orders:
        done = await world.do(world.authorise(story.buyer, signed))
        assert done.payment.state is State.CAPTURED
    account = await world.ledger_account(story.shop)
    assert account.credits_posted == PRICE * len(story.orders)
    assert (await audit(world.database, None)).text == "ok"


@pytest.mark.parametrize("luck", [False, True], ids=["all-unsynced-lost", "some-torn"])
async def test_every_answered_payment_survives_a_power_cut(tmp_path, luck):
    answered = 0
    for _ in range(15):
        seed = secrets.randbits(32)
        print(f"seed {seed}")
        chance = random.Random(seed) if luck else None
        kept, lost, told = await _cut(tmp_path, seed, luck=chance)
        assert (lost, told) == ([], "ok")
        answered += kept
    assert answered > 100


async def test_a_disk_that_ignores_syncs_is_seen_to_lose_answered_payments(tmp_path):
    story = PowerCut(tmp_path, 1)
    world = story.open()
    story.disk.ignores_sync = True
    await story.load(world, 300)
    story.disk.ignores_sync = False
    story.crash(world)
    world = story.open()
    assert len(story.kept) > 20
    assert await story.lost(world) == story.kept
    world.database.close()
    story.close()
    story.disk.unregister()


@pytest.mark.parametrize("synchronous", ["off", "normal"])
async def test_a_database_that_does_not_sync_is_seen_to_lose_answered_payments(
    tmp_path, synchronous
):
    story = PowerCut(tmp_path, 2)
    world = story.open()
    world.database._writer.pragma("synchronous", synchronous)
    await story.load(world, 300)
    story.crash(world)
    world = story.open()
    assert len(story.kept) > 20
    assert await story.lost(world) == story.kept
    assert (await audit(world.database, None)).text == "ok"  # Whole commits were lost, or none.
    world.database.close()
    story.close()
    story.disk.unregister()


class Killed(BaseException):
    """The process ended here."""


class KillingDisk(LossyVfs):
    """A disk at whose next sync the process is killed."""

    kills = False

    def tick(self, operation):
        if self.kills and operation == "sync":
            self.kills = False
            self.end_process()
            raise Killed
        super().tick(operation)


async def test_a_commit_that_a_killed_hub_did_not_sync_is_on_disk_before_anything_is_told_of_it(
    tmp_path,
):
    story = PowerCut(tmp_path, 3)
    story.disk.unregister()
    story.disk = KillingDisk(story.name)
    world = story.open()
    world.begin()
    story.shop, story.buyer = await world.account(), await world.spender(PRICE)
    signed = world.order(story.buyer, story.shop, PRICE)
    story.disk.kills = True
    with pytest.raises(Killed):
        await world.do(world.authorise(story.buyer, signed))
    story.crash(world)
    world = story.open()
    done = await world.do(world.authorise(story.buyer, signed))
    assert done.payment.state is State.CAPTURED
    story.kept = [done.payment.id]
    story.disk.cut()
    story.crash(world)
    world = story.open()
    assert await story.lost(world) == []
    world.database.close()
    story.close()
    story.disk.unregister()


@pytest.mark.prove
async def test_every_answered_payment_survives_a_thousand_power_cuts(tmp_path):
    for _ in range(500):
        seed = secrets.randbits(32)
        print(f"seed {seed}")
        for chance in (None, random.Random(seed)):
            _, lost, told = await _cut(tmp_path, seed, luck=chance)
            assert (lost, told) == ([], "ok")
