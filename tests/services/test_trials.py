"""Rules are tried on the past in steps: what is found is what a backtest of it all finds."""

import asyncio

import msgspec
import pytest

from farthing.clock import NS
from farthing.errors import Conflict, Malformed
from farthing.risk.settings import ladder, read_risk, read_settings
from farthing.services import trials as trials_module
from farthing.services.backtest import Rules, backtest, said_of
from farthing.services.context import Context
from farthing.services.trials import LOST_SECONDS, Asked, Trials
from farthing.store.past_orders import past_orders

TOLD = {"rules": {"velocity": {"orders_per_minute_max": 2}}}


@pytest.fixture
def ctx(world):
    class Bare:
        database = world.database

        @staticmethod
        def now_s() -> int:
            return world.clock() // NS

    return Bare()


@pytest.fixture
def trials(ctx, tmp_path) -> Trials:
    return Trials(ctx, tmp_path / "last-backtest.json", rest=0)


def rules() -> Rules:
    return Rules(read_risk(TOLD), [], ladder(read_settings(TOLD)))


def asked(ctx: Context, days: int = 7) -> Asked:
    return Asked("per_1", ctx.now_s(), days)


async def ended(trials: Trials):
    async with asyncio.timeout(20):
        while trials.last().state == "running":  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.005)
    return trials.last()


async def lived(world, count: int = 30):
    spender, payee = await world.spender(1000), await world.account()
    for _ in range(count):
        await world.do(world.pay(spender, payee, 1))
        world.clock.move(9)


async def test_steps_find_what_one_pass_finds(world, ctx, trials, monkeypatch):
    monkeypatch.setattr(trials_module, "STEP", 7)
    await lived(world)
    assert trials.last() is None
    trials.start(asked(ctx), rules())
    trial = await ended(trials)
    whole = await world.database.read(lambda tx: backtest(past_orders(tx), rules(), 0, said_of(tx)))
    assert whole.acts["ask"] > 5
    assert msgspec.json.encode(trial.found) == msgspec.json.encode(whole)
    assert (trial.state, trial.is_whole) == ("done", True)
    assert (trial.read, trial.orders) == (30, 30)


async def test_only_the_newest_are_replayed_where_there_are_too_many(
    world, ctx, trials, monkeypatch
):
    monkeypatch.setattr(trials_module, "ORDERS_MAX", 10)
    await lived(world)
    trials.start(asked(ctx), rules())
    trial = await ended(trials)
    assert (trial.read, trial.orders, trial.found.replayed, trial.is_whole) == (10, 10, 10, False)


async def test_the_days_that_are_asked_for_are_judged_and_those_before_are_remembered(
    world, ctx, trials
):
    await lived(world, 3)
    world.clock.move(2 * 86_400)
    await lived(world, 4)
    trials.start(asked(ctx, days=1), rules())
    trial = await ended(trials)
    assert (trial.found.replayed, trial.found.judged) == (7, 4)


async def test_a_second_one_is_refused_while_one_runs(world, ctx, trials, monkeypatch):
    await lived(world, 3)
    going = asyncio.Event()

    async def waits(*_given):
        await going.wait()

    monkeypatch.setattr(trials_module._Run, "go", waits)
    trials.start(asked(ctx), rules())
    await asyncio.sleep(0)
    with pytest.raises(Conflict):
        trials.start(asked(ctx), rules())
    world.clock.move(LOST_SECONDS + 1)  # Its process would have said something by now.
    assert (trials.last().state, trials.last().fault) == ("failed", "its process has ended")
    await trials.stop()
    assert (trials.last().state, trials.last().fault) == ("failed", "the hub was stopped")


@pytest.mark.parametrize("fault", [Malformed("malformed-head", "cut off"), ValueError("a bug")])
async def test_what_breaks_is_said_and_another_may_follow(ctx, trials, monkeypatch, fault):
    async def breaks(*_given):
        raise fault

    monkeypatch.setattr(trials_module._Run, "go", breaks)
    trials.start(asked(ctx), rules())
    trial = await ended(trials)
    assert trial.state == "failed"
    assert ("cut off" if isinstance(fault, Malformed) else "a bug") in trial.fault
    monkeypatch.undo()
    trials.start(asked(ctx), rules())
    assert (await ended(trials)).found.judged == 0


def test_a_note_that_cannot_be_read_is_none(ctx, tmp_path):
    file = tmp_path / "last-backtest.json"
    for spoilt in (b"", b"{}", b"\xff", b"[" * 5000, b" " * (2 << 20)):
        file.write_bytes(spoilt)
        assert Trials(ctx, file).last() is None
