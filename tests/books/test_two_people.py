"""Above a mandate's line two different people approve; a denial by either ends it."""

import asyncio
from dataclasses import replace

import pytest

from farthing.books.cluster_writing import Settle
from farthing.core.answers import AnswerAsk
from farthing.core.events import Kind
from farthing.core.payments import PAYMENTS, State
from farthing.core.people import RemovePerson, Role
from farthing.core.said import By, Means, read_said
from farthing.errors import Conflict, Forbidden, Missing, OutcomeUnknown
from farthing.store.queries import events_after, one
from farthing.testing.fake_cluster import FakeCluster
from tests.books.persons import answerer
from tests.books.test_cluster import Disturbed, Hub
from tests.books.test_court import only
from tests.places import empty_books

LINE = 10


async def asking(world, amount=40, **terms):
    """Ask above the line; give the order's unit, the payment and two people."""
    spender = await world.spender(100, **({"two_above": LINE, "ask_seconds": 900} | terms))
    unit = world.pay(spender, await world.account(), amount, hold=60)
    payment = (await world.do(unit)).payment
    assert payment.state is State.AWAITING
    return spender, unit, payment.id, await answerer(world, spender), await answerer(world, spender)


async def says(world, ident, by, answer="approve"):
    return (await world.do(AnswerAsk(ident, None, answer, by))).payment.state


async def approved_by(world, ident):
    payment = await world.database.read(lambda tx: one(tx, PAYMENTS, ident))
    return [said.who for said in read_said(payment.answers)]


async def test_up_to_the_line_nobody_is_asked_and_above_it_two_are(world):
    spender, payee = await world.spender(100, two_above=LINE), await world.account()
    assert (await world.do(world.pay(spender, payee, LINE))).payment.state is State.CAPTURED
    asked = await world.do(world.pay(spender, payee, LINE + 1))
    assert asked.payment.state is State.AWAITING


async def test_the_first_ones_word_holds_nothing_and_the_seconds_does(world):
    spender, unit, ident, ada, bea = await asking(world)
    assert await says(world, ident, ada) is State.AWAITING
    assert await world.available(spender.account) == 100
    assert (await world.do(unit)).payment.state is State.AWAITING
    assert await says(world, ident, bea) is State.HELD
    assert (await world.do(unit)).fresh
    assert await approved_by(world, ident) == [ada.who, bea.who]


async def test_the_first_ones_word_changes_the_record_when_it_is_said(world):
    _, unit, ident, ada, _ = await asking(world)
    before = (await world.do(unit)).payment
    world.clock.move(7)
    await says(world, ident, ada)
    after = (await world.do(unit)).payment
    assert after.changed_ns == read_said(after.answers)[0].at_ns > before.changed_ns
    assert after.leaf > before.leaf


async def test_the_same_person_twice_is_not_two_by_whatever_means(world):
    _, _, ident, ada, bea = await asking(world)
    for means in (Means.PASSKEY, Means.PASSKEY, Means.SESSION, Means.NOTICE):
        said = await world.do(AnswerAsk(ident, None, "approve", By(means, ada.who)))
        assert (said.payment.state, said.fresh) == (State.AWAITING, False)
    assert await approved_by(world, ident) == [ada.who]
    assert await says(world, ident, bea) is State.HELD


@pytest.mark.parametrize("who", [0, 1])
async def test_a_denial_by_either_ends_it(world, who):
    _, _, ident, *people = await asking(world)
    await says(world, ident, people[0])
    assert await says(world, ident, people[who], "deny") is State.REFUSED
    with pytest.raises(Conflict):
        await says(world, ident, people[1 - who])


@pytest.mark.parametrize("by", [By(Means.KEY, "key_a"), By(Means.OPERATOR)])
async def test_what_is_nobodys_word_approves_nothing_and_may_deny(world, by):
    _, _, ident, ada, _ = await asking(world)
    await says(world, ident, ada)
    with pytest.raises(Forbidden) as raised:
        await says(world, ident, by)
    assert raised.value.code == "two-people-needed"
    assert await says(world, ident, by, "deny") is State.REFUSED


async def test_a_ward_is_no_second_person_and_somebody_of_another_owner_is_nobody(world):
    spender, _, ident, ada, _ = await asking(world)
    await says(world, ident, ada)
    with pytest.raises(Forbidden, match="guardian") as ward:
        await says(world, ident, await answerer(world, spender, role=Role.WARD))
    with pytest.raises(Missing) as other:
        await says(world, ident, await answerer(world, await world.spender(1)))
    assert (ward.value.code, other.value.code) == ("guardian-needed", "no-such-payment")
    assert await approved_by(world, ident) == [ada.who]


async def test_silence_is_not_the_word_of_two_even_after_the_first(world):
    _, _, ident, ada, bea = await asking(world, on_timeout="allow", ask_above=5)
    await says(world, ident, ada)
    world.clock.move(901)
    assert await says(world, ident, bea) is State.REFUSED  # The deadline is as before.
    _, _, ident, _, _ = await asking(world, on_timeout="allow", ask_above=5)
    world.clock.move(901)
    assert (await world.do(AnswerAsk(ident, None, "lapse"))).payment.reason == "ask-expired"


async def test_who_was_removed_meanwhile_counts_no_more_and_says_no_more(world):
    spender, _, ident, ada, bea = await asking(world)
    await says(world, ident, ada)
    await world.do(RemovePerson(ada.who))
    with pytest.raises(Missing):
        await says(world, ident, ada, "deny")
    assert await says(world, ident, bea) is State.AWAITING
    cid = await answerer(world, spender)
    assert await says(world, ident, cid) is State.HELD
    assert await approved_by(world, ident) == [ada.who, bea.who, cid.who]


async def test_the_line_is_the_mandates_as_it_is_when_the_answer_comes(world):
    spender, _, ident, ada, bea = await asking(world)
    await says(world, ident, ada)
    owner, mandate = spender.device.owner, spender.device.mandate
    await world.do(replace(world.set_mandate(owner, ident=mandate, two_above=50), agreed={}))
    assert await says(world, ident, ada) is State.HELD  # One is enough now.
    spender, _, ident, ada, bea = await asking(world, two_above=None, ask_above=5)
    owner, mandate = spender.device.owner, spender.device.mandate
    await world.do(world.set_mandate(owner, ident=mandate, ask_above=5, two_above=5))
    assert await says(world, ident, ada) is State.AWAITING
    assert await says(world, ident, bea) is State.HELD


async def test_of_two_at_once_both_count_and_of_yes_and_no_the_no_stays(world):
    _, unit, ident, ada, bea = await asking(world)
    await world.do_all([AnswerAsk(ident, None, "approve", by) for by in (ada, bea, ada)])
    assert (await world.do(unit)).payment.state is State.HELD
    for words in (("approve", "deny"), ("deny", "approve")):
        _, unit, ident, ada, bea = await asking(world)
        units = [AnswerAsk(ident, None, *each) for each in zip(words, (ada, bea), strict=True)]
        await asyncio.gather(*map(world.do, units), return_exceptions=True)
        assert (await world.do(unit)).payment.state is State.REFUSED


@only("postgresql", "cluster and postgresql")
async def test_two_hubs_that_hear_one_each_count_both(world, second_hub):
    _, _, ident, ada, bea = await asking(world)
    heard = [world.do(AnswerAsk(ident, None, "approve", ada)),
             second_hub.do(AnswerAsk(ident, None, "approve", bea))]  # fmt: skip
    states = [done.payment.state for done in await asyncio.gather(*heard)]
    assert sorted(states) == [State.AWAITING, State.HELD]
    assert len(await approved_by(world, ident)) == 2


async def test_the_payers_owner_alone_is_told_of_the_first(world):
    spender, _, ident, ada, _ = await asking(world)
    await says(world, ident, ada)
    told = await world.database.read(lambda tx: events_after(tx, None, 0, 500))
    [event] = [event for event in told if event.kind == Kind.PAYMENT_FIRST_APPROVAL]
    assert (event.owner, event.subject) == (spender.device.owner, ident)
    assert (event.body["answered_by"], event.body["state"]) == (ada.who, "awaiting")


@pytest.mark.parametrize("loses", ["the request", "the answer"])
async def test_beside_a_cluster_the_first_word_outlives_the_hub_and_the_second_is_ended_once(
    tmp_path, loses
):
    hub = Hub(empty_books(tmp_path / "books.db"), Disturbed(FakeCluster()))
    world = hub.world()
    world.begin()
    _, _, ident, ada, bea = await asking(world)
    await says(world, ident, ada)
    hub.reopen()
    hub.cluster.loses, hub.cluster.times = loses, 1
    second = AnswerAsk(ident, None, "approve", bea)
    with pytest.raises(OutcomeUnknown):
        await hub.world(1).do(second)
    hub.reopen()
    await hub.books.commit_one(Settle())
    assert (await hub.world(2).do(second)).payment.state is State.HELD
    assert await approved_by(hub.world(3), ident) == [ada.who, bea.who]
    assert await hub.audit() == "ok"
    hub.close()
