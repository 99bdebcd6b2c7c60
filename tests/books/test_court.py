"""What is known of orders is what the history has, whoever wrote it, and nothing else."""

import itertools
import random
from dataclasses import dataclass

import pytest

from farthing.books import court
from farthing.books.followed import followed
from farthing.books.sql import SqlBooks
from farthing.core.answers import AnswerAsk
from farthing.core.payments import State
from farthing.core.settling import Capture, Void
from farthing.risk.settings import judges_of
from farthing.threads import Threads
from tests.conftest import SIGNER
from tests.own_writers import books_on

THREE = {
    "mode": "on",
    "rules": {"velocity": {"orders_per_minute_max": 3}, "new_payee": {"payments_min": 2}},
    "typologies": {"bold": {"weights": {"new_payee": 30}, "review": 30}},
}


@pytest.fixture
def risk():
    return THREE


@pytest.fixture
def engine(request):
    return request.param


async def paid(world, spender, seller, many):
    units = [world.pay(spender, seller, 1 + n) for n in range(many)]
    return [(await world.do(unit)).payment.state for unit in units]


def only(*engines):
    return pytest.mark.parametrize("engine", engines, indirect=True)


IN_PROCESS = only("sqlite", "postgresql", "cluster and postgresql")
EVERYWHERE = only("sqlite", "postgresql", "own process", "tigerbeetle", "cluster and postgresql")


@EVERYWHERE
async def test_a_hub_that_starts_anew_knows_what_it_knew(world, database, clock, risk):
    spender, seller = await world.spender(1000), await world.account()
    assert await paid(world, spender, seller, 3) == [State.CAPTURED] * 3
    await world.books.close()
    with Threads(1) as writer:
        world.books = books_on(database, SIGNER, clock, writer, risk)
        assert await paid(world, spender, seller, 1) == [State.AWAITING]
        clock.move(61)
        assert await paid(world, spender, seller, 1) == [State.CAPTURED]
        await world.books.close()


@EVERYWHERE
async def test_what_a_hub_recalled_no_order_waits_for(world, database, clock, risk):
    spender, seller = await world.spender(1000), await world.account()
    await paid(world, spender, seller, 3)
    await world.books.close()
    with Threads(1) as writer:
        world.books = books_on(database, SIGNER, clock, writer, risk)
        steps = [await world.books.recall(2) for _ in range(50)]
        assert sum(step.read for step in steps) > 2
        assert all(step.read == 2 or not step.left for step in steps)
        assert steps[-1] == (0, 0)
        assert await paid(world, spender, seller, 1) == [State.AWAITING]
        assert await world.books.recall(2) == (0, 0)
        await world.books.close()


@EVERYWHERE
async def test_an_order_that_comes_before_all_is_recalled_is_judged_as_at_any_time(
    world, database, clock, risk
):
    spender, seller = await world.spender(1000), await world.account()
    await paid(world, spender, seller, 3)
    await world.books.close()
    with Threads(1) as writer:
        world.books = books_on(database, SIGNER, clock, writer, risk)
        assert (await world.books.recall(2)).left > 0
        assert await paid(world, spender, seller, 1) == [State.AWAITING]
        clock.move(61)
        assert await paid(world, spender, seller, 3) == [State.CAPTURED] * 3  # None counts twice.
        await world.books.close()


@only("postgresql", "cluster and postgresql")
async def test_a_hub_knows_what_another_hub_of_the_same_books_was_ordered(world, second_hub):
    spender, seller = await world.spender(1000), await world.account()
    hubs = [world, second_hub, world, second_hub, world]
    states = [(await paid(hub, spender, seller, 1))[0] for hub in hubs]
    assert states == [State.CAPTURED] * 3 + [State.AWAITING] * 2


@dataclass(frozen=True)
class Breaks:
    """A unit with a bug: its commit is given up, and the others are decided anew."""

    reads = ()
    accounts = ()

    def plan(self, view):  # noqa: ARG002
        raise RuntimeError("a bug")


@IN_PROCESS
async def test_what_was_decided_and_given_up_is_not_known(world):
    spender, seller = await world.spender(1000), await world.account()
    await world.do(world.pay(spender, seller, 1))
    units = [world.pay(spender, seller, 2), Breaks()]
    with pytest.raises(RuntimeError):
        await world.books.commit(units)
    assert (await world.payment(units[0].name)).state is State.CAPTURED
    assert await paid(world, spender, seller, 2) == [State.CAPTURED, State.AWAITING]


@IN_PROCESS
async def test_what_is_read_from_the_history_is_what_was_known_as_it_was_made(world, risk):
    judges = judges_of(risk)
    luck = random.Random(7)
    live: list[object] = []
    before = world.books
    _listen(judges, live)
    with Threads(1) as writer:
        world.books = books_on(world.database, SIGNER, world.clock, writer, judges=judges)
        await lived(world, luck)
        await world.books.close()
    world.books = before
    read = await world.database.read(lambda tx: list(followed(tx, 1, 10**9)))
    assert read == live
    assert len({kept.paid for kept in live}) == len({kept.answered for kept in live}) == 2


@only("sqlite")
async def test_a_commit_tells_how_many_orders_were_judged_and_how_long_that_took(
    world, database, clock, risk, monkeypatch
):
    ticks = itertools.count()
    monkeypatch.setattr(court, "perf_counter", lambda: next(ticks))
    spender, seller = await world.spender(1000), await world.account()
    told: list[court.Judged] = []
    await world.books.close()
    with Threads(1) as writer:
        world.books = SqlBooks(
            database, lambda: SIGNER, clock, writer,
            on_batch=lambda *facts: told.append(facts[-1]), judges=judges_of(risk),
        )  # fmt: skip
        await paid(world, spender, seller, 1)
        assert told.pop() == (1, 2)  # Judged, and taken in: each begins and ends.
        others = [await world.spender(9) for _ in range(40)]
        told.clear()
        await world.do_all([world.pay(one, seller, 1) for one in others])
        assert told.pop() == (40, 2)  # No more than for one: all were judged at once.
        clock.move(61)
        asked = [await world.do(world.pay(spender, seller, 1)) for _ in range(4)][-1].payment
        assert asked.state is State.AWAITING
        told.clear()
        await world.do(AnswerAsk(asked.id, None, "approve"))
        assert told.pop().orders == 0  # It was judged when it came.
        await world.books.close()


def _listen(judges, live):
    take = judges.take

    def taken(draft):
        live.extend(kept for kept, _ in draft.items)
        take(draft)

    judges.take = taken


async def lived(world, luck):
    """Let devices order what is allowed, asked about and refused; sellers and owners answer."""
    sellers = [await world.account() for _ in range(4)]
    spenders = [await world.spender(300, zone=zone) for zone in ("UTC", "Asia/Tokyo")]
    for _ in range(25):
        world.clock.move(luck.choice([0.5, 5, 30]))
        units = [
            world.pay(luck.choice(spenders), luck.choice(sellers), luck.randrange(1, 40), hold=hold)
            for hold in luck.choices([0, 60], k=luck.randrange(1, 5))
        ]
        for done in await world.do_all(units):
            world.clock.move(0.5)
            await answered(world, done.answer.payment, luck)


async def answered(world, payment, luck):
    if payment.state is State.AWAITING:
        await world.do(AnswerAsk(payment.id, None, luck.choice(["approve", "deny"])))
    elif payment.state is State.HELD:
        await world.do(luck.choice([Capture(payment.id, None), Void(payment.id, None, "")]))
