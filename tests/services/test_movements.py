"""Top-ups and payouts, killed between any two steps, against a model that knows only the rail."""

import random
from types import SimpleNamespace
from typing import Any

import pytest

from farthing import ids
from farthing.core.accounts import SetAccountState
from farthing.core.bounds import Bounds
from farthing.core.movements import MOVEMENTS, Conclude, Direction, Intend, Said, rail_account
from farthing.errors import Conflict
from farthing.money import UNITS_MAX
from farthing.rails.simulated import Simulated
from farthing.services.audit import audit
from farthing.services.movements import Movements
from farthing.store.accounts import account_counters
from farthing.store.movements import looks_due
from farthing.store.queries import page
from farthing.testing.worlds import World

FUNDS = 1_000
PLACES = ("ok", "fail", "slow", "unclear", "lost")
NEVER = 10**9


class Killed(BaseException):
    """The process ends here."""


class Mortal:
    """Books and a rail in a process that is killed at some point of what it does."""

    def __init__(self, world: World, rail: Simulated) -> None:
        self._books, self._rail = world.books, rail
        self.left = NEVER
        self.name, self.is_money = rail.name, rail.is_money

    def _point(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed

    async def _within(self, doing: Any) -> Any:
        try:
            self._point()
        except Killed:
            doing.close()
            raise
        done = await doing
        self._point()
        return done

    async def commit_one(self, unit: Any, of: str = "") -> Any:
        return await self._within(self._books.commit_one(unit, of))

    async def send(self, instruction: Any) -> Any:
        return await self._within(self._rail.send(instruction))

    async def look_up(self, reference: str) -> Any:
        return await self._within(self._rail.look_up(reference))


class Story:
    """What happens, in the order that a seed says."""

    def __init__(self, world: World, rail: Simulated, seed: int) -> None:
        self.world, self.rail, self.random = world, rail, random.Random(seed)
        self.mortal = Mortal(world, rail)
        ctx: Any = SimpleNamespace(books=self.mortal, database=world.database, clock=world.clock)
        self.movements = Movements(ctx, {rail.name: self.mortal})
        self.of: dict[str, str] = {}
        self.killed = 0

    async def begin(self) -> None:
        self.accounts = [await self.world.account(units=FUNDS) for _ in range(2)]

    async def mortally(self, doing: Any) -> Any:
        """Do something in a process that may be killed meanwhile; a new one comes after it."""
        self.mortal.left = self.random.choice([NEVER, *range(7)])
        try:
            return await doing
        except Killed:
            self.killed += 1
        except Conflict:
            pass
        finally:
            self.mortal.left = NEVER
        return None

    async def act(self) -> None:
        what = self.random.choice(["move", "move", "step", "step", "look", "freeze", "thaw"])
        await getattr(self, what)()

    async def move(self) -> None:
        direction, account = self.random.choice(list(Direction)), self.random.choice(self.accounts)
        ident = ids.name(direction.value, self.world.fresh())
        self.of[ident] = account
        units, place = self.random.randint(1, 400), self.random.choice(PLACES)
        unit = Intend(ident, None, direction, account, "USD", units, self.rail.name, place)
        await self.mortally(self.mortal.commit_one(unit))

    async def step(self) -> None:
        for movement in await self.known():
            if self.random.random() < 0.3:
                await self.mortally(self.movements.step(movement.id, 0))

    async def look(self) -> None:
        self.world.clock.move(self.random.choice([1, 15, 600]))
        await self.mortally(self.movements.look())

    async def freeze(self, to: str = "frozen") -> None:
        account = self.random.choice(self.accounts)
        await self.world.do(SetAccountState(account, None, to, self.world.fresh()))

    async def thaw(self) -> None:
        await self.freeze("open")

    async def known(self) -> list[Any]:
        return await self.everything()

    async def everything(self) -> list[Any]:
        return await self.world.database.read(lambda tx: page(tx, MOVEMENTS, {}, limit=500))

    async def end(self) -> None:
        """Give everything the time it needs."""
        for account in self.accounts:
            await self.world.do(SetAccountState(account, None, "open", self.world.fresh()))
        for _ in range(30):
            self.world.clock.move(4000)
            if not await self.movements.look():
                return
        raise AssertionError("something is looked after for ever")

    async def check(self) -> None:
        """Compare what the hub has with what the rail has done."""
        done, known = self.rail.moved(), {one.id: one for one in await self.known()}
        assert set(done) == set(known), "the rail was told of what was intended, and of no more"
        wanted = dict.fromkeys(self.accounts, FUNDS)
        owed = 0
        for ident, one in done.items():
            movement = known[ident]
            assert movement.booked
            assert (movement.state, movement.units) == (one["state"], one["units"])
            if one["state"] == Said.SETTLED:
                signed = one["units"] if one["direction"] == "top" else -one["units"]
                wanted[self.of[ident]] += signed
                owed += signed
        for account, units in wanted.items():
            counters = await self.counters(ids.number("acc", account))
            assert counters.credits_posted - counters.debits_posted == units
            assert counters.debits_pending == 0
        clearing = await self.counters(rail_account(self.rail.name, 1).id)
        if clearing is not None:
            assert clearing.debits_posted - clearing.credits_posted == owed
        else:
            assert owed == 0

    async def counters(self, account: int) -> Any:
        return await self.world.database.read(lambda tx: account_counters(tx, account))


async def test_money_is_where_the_rail_says_whoever_is_killed_and_whenever(world, engine, tmp_path):
    killed = 0
    for seed in range(5):
        story = Story(world, Simulated(tmp_path / f"rail-{seed}.log"), seed)
        story.rail.name = story.mortal.name = f"simulated-{seed}"
        story.movements.rails = {story.mortal.name: story.mortal}
        known = await story.known()
        await story.begin()
        for _ in range(40):
            await story.act()
        await story.end()
        story.known = after(story.known, {one.id for one in known})
        await story.check()
        killed += story.killed
    assert killed > 10, "some were killed"
    ends = {(one.direction, one.state) for one in await story.everything()}
    assert ends == {(d, s) for d in Direction for s in (Said.SETTLED, Said.FAILED)}
    if engine in ("sqlite", "postgresql"):
        assert (await audit(world.database, None)).text == "ok"


def after(known: Any, before: set[str]) -> Any:
    async def only_new() -> list[Any]:
        return [one for one in await known() if one.id not in before]

    return only_new


@pytest.mark.parametrize("left", range(9))
async def test_a_payout_killed_at_each_step_is_done_once(world, tmp_path, left):
    story = Story(world, Simulated(tmp_path / "rail.log"), 0)
    await story.begin()
    ident = ids.name("out", world.fresh())
    unit = Intend(ident, None, Direction.PAYOUT, story.accounts[0], "USD", 100, "simulated", "lost")

    async def whole() -> None:
        await story.mortal.commit_one(unit)
        for _ in range(3):
            await story.movements.step(ident, 0)

    story.mortal.left = left
    with pytest.raises(Killed):
        await whole()
    story.mortal.left = NEVER
    story.of[ident] = story.accounts[0]
    await story.end()
    await story.check()
    assert len(story.rail.moved()) == (left > 0)


async def test_what_goes_out_is_held_and_nobody_pays_out_more_than_there_is(world, tmp_path):
    story = Story(world, Simulated(tmp_path / "rail.log"), 0)
    await story.begin()
    account = story.accounts[0]

    async def pay_out(units: int) -> Any:
        ident = ids.name("out", world.fresh())
        return await world.do(
            Intend(ident, None, Direction.PAYOUT, account, "USD", units, "simulated", "ok")
        )

    await pay_out(700)
    held = await story.counters(ids.number("acc", account))
    assert (held.debits_pending, held.debits_posted) == (700, 0)
    with pytest.raises(Conflict) as refused:
        await pay_out(301)
    assert refused.value.code == "insufficient-balance"
    await pay_out(300)


async def test_a_frozen_account_is_settled_once_it_is_open_again(world, tmp_path):
    story = Story(world, Simulated(tmp_path / "rail.log"), 0)
    await story.begin()
    account = story.accounts[0]
    for direction, units in ((Direction.TOP_UP, 30), (Direction.PAYOUT, 50)):
        ident = ids.name(direction.value, world.fresh())
        story.of[ident] = account
        await world.do(Intend(ident, None, direction, account, "USD", units, "simulated", "ok"))
    await world.do(SetAccountState(account, None, "frozen", world.fresh()))
    world.clock.move(60)
    await story.movements.look()
    stands = {(one.state, one.booked) for one in await story.known()}
    assert stands == {(Said.SETTLED, False)}
    for one in await story.known():
        late = await world.do(Conclude(one.id, Said.FAILED, "", "too late", 1))
        assert late.state is Said.SETTLED, "a rail takes no last word back"
    await story.end()
    await story.check()


async def test_a_rails_last_word_stands(world, tmp_path):
    story = Story(world, Simulated(tmp_path / "rail.log"), 0)
    await story.begin()
    ident = ids.name("out", world.fresh())
    account = story.accounts[0]
    await world.do(Intend(ident, None, Direction.PAYOUT, account, "USD", 50, "simulated", "ok"))
    settled = await world.do(Conclude(ident, Said.SETTLED, "x", "", 1))
    again = await world.do(Conclude(ident, Said.FAILED, "y", "no", 1))
    assert again == settled
    assert not await world.database.read(lambda tx: looks_due(tx, 2**62, 9))


async def test_what_cannot_be_counted_is_refused_and_keeps_nobody_waiting(world, tmp_path):
    story = Story(world, Simulated(tmp_path / "rail.log"), 0)
    await story.begin()
    greedy, modest = story.accounts

    async def top_up(account: str, units: int) -> str:
        ident = ids.name("top", world.fresh())
        unit = Intend(ident, None, Direction.TOP_UP, account, "USD", units, "simulated", "ok")
        return (await world.do(unit)).id

    both = [await top_up(greedy, UNITS_MAX - FUNDS), await top_up(modest, 2 * FUNDS)]
    world.clock.move(60)
    assert await story.movements.look() == len(both)
    stands = {one.id: (one.state, one.booked) for one in await story.known()}
    assert set(stands.values()) == {(Said.SETTLED, True), (Said.SETTLED, False)}
    with pytest.raises(Conflict) as refused:
        await top_up(greedy, UNITS_MAX)
    assert refused.value.code == "credit-impossible"


async def test_a_movement_that_cannot_go_on_keeps_the_others_going(world, tmp_path):
    story = Story(world, Simulated(tmp_path / "rail.log"), 0)
    await story.begin()
    made = [ids.name("top", world.fresh()) for _ in range(3)]
    for ident in made:
        account = story.accounts[0]
        unit = Intend(ident, None, Direction.TOP_UP, account, "USD", 5, "simulated", "ok")
        await world.do(unit)
    look_up = story.mortal.look_up

    async def broken(reference: str) -> Any:
        if reference == made[0]:
            raise ZeroDivisionError
        return await look_up(reference)

    story.mortal.look_up = broken
    world.clock.move(60)
    await story.movements.look()
    assert {one.id for one in await story.known() if one.booked} == set(made[1:])


async def test_test_money_is_bounded_so_that_some_is_left_for_others(world, tmp_path):
    story = Story(world, Simulated(tmp_path / "rail.log"), 0)
    await story.begin()
    greedy, modest = story.accounts
    bounds = Bounds(top_up_units_max=100, open_units_max=150)

    async def move(direction: Direction, account: str, units: int) -> None:
        ident = ids.name(direction.value, world.fresh())
        await world.do(
            Intend(ident, None, direction, account, "USD", units, "simulated", "ok", bounds)
        )
        world.clock.move(60)
        await story.movements.look()

    async def refused(units: int) -> str:
        with pytest.raises(Conflict) as told:
            await move(Direction.TOP_UP, modest, units)
        return told.value.code

    assert await refused(101) == "top-up-too-large"
    await move(Direction.TOP_UP, greedy, 100)
    assert await refused(51) == "test-money-out"
    await move(Direction.PAYOUT, greedy, 101)
    await move(Direction.TOP_UP, modest, 100)
