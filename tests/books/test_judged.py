"""Orders are judged as they come: asked about, refused, or only flagged, and once each."""

import pytest

from farthing.core.accounts import SetAccountState
from farthing.core.answers import AnswerAsk
from farthing.core.flags import read_flag
from farthing.core.judgements import Act
from farthing.core.payments import State
from farthing.core.settling import Capture
from farthing.store.queries import events_after
from farthing.testing.drawing import Drawer

ASKS = {
    "mode": "on",
    "rules": {
        "velocity": {"orders_per_minute_max": 3},
        "new_payee": {"payments_min": 1},
        "spike": {"payments_min": 1, "times_usual": 10},
    },
    "typologies": {
        "bold": {"weights": {"new_payee": 30, "spike": 30}, "review": 30, "stop": 60},
    },
}


@pytest.fixture
def risk():
    return ASKS


async def known(world, **terms):
    """Make a device that has paid a seller once, a minute ago."""
    spender, seller = await world.spender(10_000, **terms), await world.account()
    assert (await world.do(world.pay(spender, seller, 10))).payment.state is State.CAPTURED
    world.clock.move(120)
    return spender, seller


async def told(world, owner):
    events = await world.database.read(lambda tx: events_after(tx, owner, 0, 500))
    return [event for event in events if event.kind == "payment.flagged"]


async def test_an_odd_order_awaits_its_owner_and_is_not_asked_about_twice(world):
    spender, seller = await known(world)
    unit = world.pay(spender, await world.account(), 10, hold=60)
    asked = (await world.do(unit)).payment
    assert (asked.state, asked.ask_ends_ns > 0) == (State.AWAITING, True)
    assert (await world.do(unit)).payment == asked
    assert (await world.do(AnswerAsk(asked.id, None, "approve"))).payment.state is State.HELD
    held = await world.do(unit)
    assert (held.payment.state, held.fresh) == (State.HELD, True)
    assert (await world.do(Capture(asked.id, None))).state is State.CAPTURED
    again = await world.do(world.pay(spender, held.payment.payee, 10))
    assert again.payment.state is State.CAPTURED  # It is no new seller any more.
    assert seller != held.payment.payee


async def test_what_is_worse_is_refused_in_words_that_only_the_payers_owner_is_told(world):
    spender, _ = await known(world)
    stranger = await world.account()
    payment = (await world.do(world.pay(spender, stranger, 1000))).payment
    assert (payment.state, payment.reason) == (State.REFUSED, "risk-refused")
    flag = read_flag(payment.risk)
    assert (flag.act, flag.typologies) == (Act.REFUSE, ("bold",))
    assert [reason.rule for reason in flag.reasons] == ["new_payee", "spike"]
    [event] = await told(world, payment.owner)
    assert (event.subject, event.body["act"]) == (payment.id, "refuse")
    assert "100 times what this device usually pays" in event.body["reasons"]
    assert await told(world, payment.payee_owner) == []
    assert await world.available(spender.account) == 10_000 - 10


async def test_what_the_mandate_refuses_is_not_judged(world):
    spender, _ = await known(world, largest=100)
    payment = (await world.do(world.pay(spender, await world.account(), 1000))).payment
    assert (payment.reason, payment.risk) == ("mandate-largest", "")


@pytest.mark.parametrize("hold", [0, 60])
async def test_orders_that_come_together_know_of_each_other(world, hold):
    spender, seller = await known(world)
    units = [world.pay(spender, seller, 10 + n, hold=hold) for n in range(6)]
    states = [done.answer.payment.state for done in await world.do_all(units)]
    assert states == [State.CAPTURED if not hold else State.HELD] * 3 + [State.AWAITING] * 3


async def test_a_replay_is_answered_as_before_and_counts_for_nothing(world):
    spender, seller = await known(world)
    units = [world.pay(spender, seller, 10 + n) for n in range(2)]
    first = [(await world.do(unit)).payment for unit in units]
    again = [(await world.do(unit)).payment for unit in units * 3]
    assert again == first * 3
    assert (await world.do(world.pay(spender, seller, 20))).payment.state is State.CAPTURED
    assert (await world.do(world.pay(spender, seller, 21))).payment.state is State.AWAITING


async def test_a_deposit_and_a_top_up_are_judged_by_all_that_they_hold(world):
    spender, seller = await known(world)
    own = Drawer(world, spender, seller)
    session = await own.open(50)
    assert (await own.top_up(session, 90)).payment.state is State.HELD
    assert (await own.top_up(session, 5000)).payment.state is State.AWAITING
    world.clock.move(120)
    asked = (await world.do(own.opening(5000))).payment
    assert (asked.state, read_flag(asked.risk).typologies) == (State.AWAITING, ("bold",))


class TestByPlaces:
    """Where an order came from crosses to whoever writes, and is known as long as that runs."""

    @pytest.fixture
    def risk(self):
        return {
            "mode": "on",
            "rules": {"new_place": {"payments_min": 2}},
            "typologies": {"moved": {"weights": {"new_place": 30}, "review": 30}},
        }

    async def states(self, world, spender, seller, places, **terms):
        units = [
            world.pay(spender, seller, 10 + n, place=place, **terms)
            for n, place in enumerate(places)
        ]
        return [done.answer.payment.state for done in await world.do_all(units)]

    @pytest.mark.parametrize("hold", [0, 60])
    async def test_orders_that_come_together_each_have_their_own(self, world, hold):
        spender, seller = await known(world)
        taken = State.HELD if hold else State.CAPTURED
        assert await self.states(world, spender, seller, ["home"] * 6, hold=hold) == [taken] * 6
        places = ["home", "home", "away", "away", "home", "", "home"]
        states = [State.AWAITING if place == "away" else taken for place in places]
        assert await self.states(world, spender, seller, places, hold=hold) == states

    @pytest.mark.parametrize("together", [1, 5])
    async def test_where_an_owner_approved_of_is_a_place(self, world, together):
        spender, seller = await known(world)
        await self.states(world, spender, seller, ["home"] * 3)
        [asked, *_] = [
            done.answer.payment
            for done in await world.do_all(
                [world.pay(spender, seller, 20 + n, place="away") for n in range(together)]
            )
        ]
        assert asked.state is State.AWAITING
        assert await self.states(world, spender, seller, ["away"]) == [State.AWAITING]
        assert (await world.do(AnswerAsk(asked.id, None, "approve"))).payment.state in (
            State.HELD,
            State.CAPTURED,
        )
        assert await self.states(world, spender, seller, ["away"]) == [State.CAPTURED]

    async def test_who_only_asked_or_was_refused_made_no_place(self, world):
        spender, seller = await known(world, largest=100)
        await self.states(world, spender, seller, ["home"] * 3)
        asked = (await world.do(world.pay(spender, seller, 30, place="away"))).payment
        await world.do(AnswerAsk(asked.id, None, "deny"))
        too_much = (await world.do(world.pay(spender, seller, 101, place="far"))).payment
        assert too_much.state is State.REFUSED
        assert await self.states(world, spender, seller, ["away"]) == [State.AWAITING]
        assert await self.states(world, spender, seller, ["far"]) == [State.AWAITING]


class TestInShadow:
    """The same rules, which are only watched."""

    @pytest.fixture
    def risk(self):
        return ASKS | {"mode": "shadow"}

    async def test_what_is_odd_is_told_once_an_hour_and_paid(self, world):
        spender, _ = await known(world)
        odd = []
        for minutes in (0, 1, 61):
            world.clock.move(minutes * 60)
            payment = (await world.do(world.pay(spender, await world.account(), 10))).payment
            assert payment.state is State.CAPTURED
            odd.append(bool(payment.risk))
        assert odd == [True, False, True]
        first, second = await told(world, spender.device.owner)
        assert (first.body["act"], first.body["would"]) == ("allow", "ask")
        assert first.number < second.number


class TestOff:
    """Nobody looks."""

    @pytest.fixture
    def risk(self):
        return ASKS | {"mode": "off"}

    async def test_nothing_is_odd(self, world):
        spender, _ = await known(world)
        payment = (await world.do(world.pay(spender, await world.account(), 1000))).payment
        assert (payment.state, payment.risk) == (State.CAPTURED, "")


class TestTogether:
    """Orders of one commit are judged beforehand, as if all of them were paid."""

    @pytest.fixture
    def risk(self):
        return {
            "mode": "on",
            "rules": {"spike": {"payments_min": 1, "times_usual": 10}},
            "typologies": {"large": {"weights": {"spike": 30}, "review": 30}},
        }

    async def test_what_was_supposed_is_unsaid_where_it_turns_out_wrong(self, world):
        spender, seller = await known(world)
        frozen = await world.account()
        await world.do(SetAccountState(frozen, None, "frozen", 77))
        pays = [(seller, 10), (seller, 11), (frozen, 99), (seller, 12), (seller, 150), (seller, 13)]
        units = [world.pay(spender, *pay) for pay in pays]
        states = [done.answer.payment.state for done in await world.do_all(units)]
        paid, refused, asked = State.CAPTURED, State.REFUSED, State.AWAITING
        assert states == [paid, paid, refused, paid, asked, paid]
        assert (await world.do(world.pay(spender, seller, 140))).payment.state is asked
