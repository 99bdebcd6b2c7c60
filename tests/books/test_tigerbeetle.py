"""A real TigerBeetle: hubs killed in a commit, the server killed and frozen under load.

Skipped where there is no executable.
"""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from farthing.books.cluster import CHAIN_MAX
from farthing.books.cluster_writing import Settle
from farthing.core.mandates import Budget
from farthing.core.payments import PAYMENTS, State
from farthing.core.settling import Capture
from farthing.errors import OutcomeUnknown, Unavailable
from farthing.store.queries import one
from tests.books.cluster_hub import PRICE, STEPS, orders
from tests.books.test_cluster import Chain, Hub
from tests.clusters import client_of, own_server
from tests.places import empty_books

ROOT = Path(__file__).parents[2]


@pytest.fixture
def server():
    server = own_server()
    yield server
    server.close()


@pytest.mark.parametrize("step", STEPS)
async def test_a_hub_killed_in_a_commit_has_told_nothing_twice_and_lost_nothing(
    server, tmp_path, step
):
    command = [sys.executable, "-m", "tests.books.cluster_hub", tmp_path, server.address, step]
    killed = await asyncio.to_thread(subprocess.run, command, cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL
    told = set((tmp_path / "told").read_text().split())
    units, payer, payee = orders(tmp_path)
    assert 0 < len(told) < len(units)
    hub = Hub(tmp_path / "books.db", client_of(server.address))
    await hub.books.commit_one(Settle())
    for ident in told:
        kept = await hub.database.read(lambda tx, ident=ident: one(tx, PAYMENTS, ident))
        assert kept.state in (State.CAPTURED, State.HELD)
    again = [(await hub.books.commit_one(unit)).answer for unit in units]
    assert not any(done.fresh for done in again if done.payment.id in told)
    for done in again:
        await hub.books.commit_one(Capture(done.payment.id, None))
    world = hub.world()
    assert await world.available(payee) == PRICE * len(units)
    assert await world.available(payer) == 10_000 - PRICE * len(units)
    assert await hub.audit() == "ok"
    hub.cluster.close()
    hub.close()


async def test_what_does_not_fit_into_one_request_is_posted_in_several(server, tmp_path):
    hub = Hub(empty_books(tmp_path / "books.db"), client_of(server.address))
    world = hub.world()
    world.begin()
    day = Budget(name="day", per="day", limit=5000)
    buyer, shop = await world.spender(10_000, day), await world.account()
    units = [world.pay(buyer, shop, PRICE) for _ in range(400)]
    done = await world.do_all(units)
    assert [d.answer.payment.state for d in done] == [State.CAPTURED] * 400
    assert hub.books.commits < 20
    assert await hub.audit() == "ok"
    hub.cluster.close()
    hub.close()


@pytest.fixture
def small_server():
    server = own_server("--experimental", "--limit-request=4KiB")
    yield server
    server.close()


async def test_a_cluster_of_the_smallest_requests_takes_the_longest_chain(small_server, tmp_path):
    hub = Hub(empty_books(tmp_path / "books.db"), client_of(small_server.address))
    world = hub.world()
    world.begin()
    buyer, shop = await world.spender(10_000), await world.account()
    await world.do(Chain(buyer.account, shop, [world.fresh() for _ in range(CHAIN_MAX)]))
    assert await world.available(shop) == CHAIN_MAX
    assert await hub.audit() == "ok"
    hub.cluster.close()
    hub.close()


class Load:
    """Clients who pay, and ask again until they are answered."""

    def __init__(self, hub, world, buyer, shop):
        self.hub, self.world, self.buyer, self.shop = hub, world, buyer, shop
        self.answered = []
        self.unknown = self.away = 0
        self.ends = False

    async def client(self):
        while not self.ends:
            unit = self.world.pay(self.buyer, self.shop, PRICE)
            self.answered.append(await self._paid(unit))

    async def gets_on(self, answers):
        """Wait for so many answers in all."""
        for _ in range(1200):
            if len(self.answered) >= answers:
                return
            await asyncio.sleep(0.05)
        raise TimeoutError("nothing was answered any more")

    async def _paid(self, unit):
        while True:
            try:
                return (await self.world.do(unit)).payment
            except OutcomeUnknown:
                self.unknown += 1
            except Unavailable:
                self.away += 1
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_a_server_that_is_lost_under_load_loses_no_payment_and_makes_none_twice(
    server, tmp_path, how
):
    from farthing.books.tigerbeetle import TigerBeetle

    hub = Hub(empty_books(tmp_path / "books.db"), TigerBeetle(server.address, answer_seconds=2.0))
    world = hub.world()
    world.begin()
    buyer, shop = await world.spender(1_000_000), await world.account()
    load = Load(hub, world, buyer, shop)
    clients = [asyncio.create_task(load.client()) for _ in range(16)]
    for _ in range(2):
        await asyncio.sleep(0.3)
        before = len(load.answered)
        server.kill() if how == "killed" else server.freeze()
        await asyncio.sleep(2.5)
        await (
            asyncio.to_thread(server.start) if how == "killed" else asyncio.to_thread(server.thaw)
        )
        await load.gets_on(before + 100)
    load.ends = True
    await asyncio.gather(*clients)
    assert load.unknown > 0
    assert {payment.state for payment in load.answered} == {State.CAPTURED}
    paid = {payment.id for payment in load.answered}
    assert len(paid) == len(load.answered)
    assert await world.available(shop) == PRICE * len(paid)
    assert await hub.audit() == "ok"
    hub.cluster.close()
    hub.close()
