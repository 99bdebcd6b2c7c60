"""Several hubs over one PostgreSQL whose money one cluster keeps: one ends what another left open.

Each on a cluster in memory, and on a TigerBeetle where there is one.
"""

import asyncio
import threading

import psycopg
import pytest

from farthing.books.cluster import ClusterDiffers
from farthing.books.cluster_writing import Settle
from farthing.core.payments import State
from farthing.errors import OutcomeUnknown, Unavailable
from farthing.store import postgres
from tests.books.test_cluster import DAY, Disturbed, Hub, cluster
from tests.conftest import fresh_dsn

__all__ = ["cluster"]


class Held(Disturbed):
    """A cluster whose next answer is kept back until it is let go."""

    def __init__(self, whole):
        super().__init__(whole)
        self.holds = ""
        self.asked, self.let_go = threading.Event(), threading.Event()

    def post(self, transfers):
        return self._held_back("post", super().post(transfers))

    def newest_transfer(self):
        return self._held_back("newest", self._whole.newest_transfer())

    def _held_back(self, what, told):
        if self.holds == what:
            self.holds = ""
            self.asked.set()
            assert self.let_go.wait(30)
        return told


@pytest.fixture
def hubs(postgres_dsn, cluster):
    """Two hubs, each with a connection of its own to the cluster."""
    first = Hub(postgres_dsn, Held(cluster))
    second = Hub(postgres_dsn, Held(cluster), first.clock)
    yield first, second
    second.close()
    first.close()


async def furnished(hub):
    world = hub.world()
    world.begin()
    buyer, shop = await world.spender(1000, DAY), await world.account()
    await world.do(world.pay(buyer, shop, 5))
    return world, buyer, shop


def lose(dsn):
    """Cut every connection to a database."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def all_is_well(hubs, world, shop, units):
    """See that each was paid once, and that a hub that is started finds nothing to complain of."""
    assert await world.available(shop) == units
    for hub in hubs:
        await hub.books.commit_one(Settle())
        assert await hub.audit() == "ok"


@pytest.mark.parametrize("loses", ["the request", "the answer"])
async def test_what_a_hub_left_open_is_ended_by_the_next_that_writes(hubs, loses):
    first, second = hubs
    world, buyer, shop = await furnished(first)
    unit = world.pay(buyer, shop, 11)
    await second.books.commit_one(Settle())
    first.cluster.loses, first.cluster.times = loses, 1
    with pytest.raises(OutcomeUnknown):
        await world.do(unit)
    elsewhere = second.world(seed=1)
    assert await elsewhere.available(shop) == 5
    assert (await elsewhere.do(world.pay(buyer, shop, 7))).fresh
    assert await elsewhere.available(shop) == 23
    assert not (await world.do(unit)).fresh
    await all_is_well(hubs, world, shop, 23)


async def test_hubs_that_pay_at_once_take_turns_and_leave_nothing_open(hubs):
    first, second = hubs
    world, buyer, shop = await furnished(first)
    elsewhere = second.world(seed=1)

    async def pay(by):
        done = [await by.do(world.pay(buyer, shop, 2)) for _ in range(15)]
        return {one.payment.state for one in done}

    told = await asyncio.gather(pay(world), pay(elsewhere))
    assert told == [{State.CAPTURED}] * 2
    await all_is_well(hubs, world, shop, 65)


async def test_nobody_decides_while_another_hub_has_its_turn(hubs):
    first, second = hubs
    world, buyer, shop = await furnished(first)
    first.cluster.holds = "post"
    begun = asyncio.create_task(world.do(world.pay(buyer, shop, 3)))
    await asyncio.to_thread(first.cluster.asked.wait, 30)
    waits = asyncio.create_task(second.world(seed=1).do(world.pay(buyer, shop, 4)))
    await asyncio.sleep(0.3)
    assert not waits.done()
    first.cluster.let_go.set()
    assert (await begun).payment.state is (await waits).payment.state is State.CAPTURED
    await all_is_well(hubs, world, shop, 12)


async def overtaken_while_it_posts(hubs, lose_turn) -> None:
    """Let the first hub lose its turn as it posts, so that the second ends its commit for it."""
    first, second = hubs
    world, buyer, shop = await furnished(first)
    unit = world.pay(buyer, shop, 3)
    first.cluster.holds = "post"
    begun = asyncio.create_task(world.do(unit))
    await asyncio.to_thread(first.cluster.asked.wait, 30)
    lose_turn()
    assert (await second.world(seed=1).do(world.pay(buyer, shop, 4))).fresh
    first.cluster.let_go.set()
    with pytest.raises(OutcomeUnknown):
        await begun
    assert not (await world.do(unit)).fresh
    await all_is_well(hubs, world, shop, 12)


async def test_a_hub_that_lost_its_turn_while_it_posted_writes_nothing(hubs, postgres_dsn):
    await overtaken_while_it_posts(hubs, lambda: lose(postgres_dsn))


async def test_a_hub_that_lost_its_connection_while_it_posted_goes_on_with_another(
    hubs, postgres_dsn
):
    first, _ = hubs
    world, buyer, shop = await furnished(first)
    first.cluster.holds = "post"
    begun = asyncio.create_task(world.do(world.pay(buyer, shop, 3)))
    await asyncio.to_thread(first.cluster.asked.wait, 30)
    lose(postgres_dsn)
    first.cluster.let_go.set()
    assert (await begun).payment.state is State.CAPTURED
    await all_is_well(hubs, world, shop, 8)


@pytest.mark.parametrize("holds", ["post", "newest"])
async def test_who_lost_his_turn_while_he_looked_has_to_ask_again(hubs, postgres_dsn, holds):
    first, second = hubs
    world, buyer, shop = await furnished(first)
    first.cluster.loses, first.cluster.times = "the request", 1
    with pytest.raises(OutcomeUnknown):
        await world.do(world.pay(buyer, shop, 1))
    first.cluster.holds = holds
    unit = world.pay(buyer, shop, 3)
    begun = asyncio.create_task(world.do(unit))
    await asyncio.to_thread(first.cluster.asked.wait, 30)
    lose(postgres_dsn)
    assert (await second.world(seed=1).do(world.pay(buyer, shop, 4))).fresh
    first.cluster.let_go.set()
    with pytest.raises(Unavailable) as told:
        await begun
    assert told.value.code == "books-busy"
    assert (await world.do(unit)).fresh
    await all_is_well(hubs, world, shop, 13)


async def test_an_intent_of_other_books_is_not_written_over(hubs, postgres_dsn):
    first, _ = hubs
    world, buyer, shop = await furnished(first)
    first.cluster.holds = "post"
    begun = asyncio.create_task(world.do(world.pay(buyer, shop, 3)))
    await asyncio.to_thread(first.cluster.asked.wait, 30)
    lose(postgres_dsn)
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("UPDATE intents SET content = content || '\\x00'::bytea")
    first.cluster.let_go.set()
    with pytest.raises(OutcomeUnknown):
        await begun
    assert await world.available(shop) == 5


async def test_who_is_silent_for_too_long_loses_the_turn(hubs, monkeypatch):
    monkeypatch.setattr(postgres, "_TAKE_TURN", postgres._TAKE_TURN.replace(b"'10s'", b"'200ms'"))
    await overtaken_while_it_posts(hubs, lambda: None)


async def test_a_server_that_lags_behind_the_cluster_is_seen_when_it_takes_over(
    postgres_server, cluster, clock
):
    with fresh_dsn(postgres_server) as dsn:
        first, second = Hub(dsn, Held(cluster), clock), Hub(dsn, Held(cluster), clock)
        world, buyer, shop = await furnished(first)
        with psycopg.connect(dsn) as connection:
            kept = connection.execute("SELECT max(number) FROM commits").fetchall()
        await second.world(seed=1).do(world.pay(buyer, shop, 4))
        _forget_newest(dsn)
        with psycopg.connect(dsn) as connection:
            assert connection.execute("SELECT max(number) FROM commits").fetchall() == kept
        lose(dsn)
        with pytest.raises(ClusterDiffers, match="has transfers that these books do not have"):
            await world.do(world.pay(buyer, shop, 4))
        second.close()
        first.close()


def _forget_newest(dsn):
    """Let a server be as it was before its newest commit, as far as anybody looks here."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "DELETE FROM transfers WHERE leaf IN (SELECT number FROM leaves WHERE commit_number ="
            " (SELECT max(number) FROM commits))"
        )
        connection.execute("DELETE FROM commits WHERE number = (SELECT max(number) FROM commits)")


async def test_a_turn_that_is_not_given_in_time_is_told_as_unavailable(hubs):
    first, second = hubs
    world, buyer, shop = await furnished(first)
    elsewhere = second.world(seed=1)
    second.database.transact(lambda tx: tx.run("SELECT set_config('lock_timeout', '1', false)"))
    first.cluster.holds = "post"
    begun = asyncio.create_task(world.do(world.pay(buyer, shop, 3)))
    await asyncio.to_thread(first.cluster.asked.wait, 30)
    with pytest.raises(Unavailable):
        await elsewhere.do(world.pay(buyer, shop, 4))
    first.cluster.let_go.set()
    assert (await begun).payment.state is State.CAPTURED
    await all_is_well(hubs, world, shop, 8)
