"""The line above which two approve is loosened by two: one wants it, another one agrees."""

import asyncio
from dataclasses import replace

import msgspec
import pytest

from farthing import ids
from farthing.core.agreeing import (
    AGREE_SECONDS,
    AgreeToMandate,
    DeclineMandate,
    ProposeMandate,
    agreement_of,
    proposed_of,
)
from farthing.core.devices import AssignMandate, Invitation, InviteDevice, RevokeDevice, code_hash
from farthing.core.events import Kind
from farthing.core.mandates import MANDATES, RevokeMandate
from farthing.core.people import RemovePerson, Role
from farthing.core.said import OPERATOR
from farthing.errors import Conflict, Forbidden, Missing
from farthing.store.lines import has_lines, two_above_at
from farthing.store.queries import events_after, one
from tests.books.persons import answerer
from tests.books.test_court import only

LINE = 10


class Guarded:
    """A device under a line, and two people who guard it."""

    def __init__(self, world, spender, ada, bea):
        self.world, self.spender, self.ada, self.bea = world, spender, ada.who, bea.who
        self.owner, self.ident = spender.device.owner, spender.device.mandate

    def change(self, **terms):
        return self.world.set_mandate(self.owner, ident=self.ident, **terms)

    async def now(self):
        return await self.world.database.read(lambda tx: one(tx, MANDATES, self.ident))

    async def wants(self, who, **terms):
        wanted, before = self.change(**terms).wanted, await self.now()
        return await self.world.do(ProposeMandate(wanted, who, before.revision))

    def agreeing(self, who, mandate):
        return AgreeToMandate(self.ident, who, agreement_of(mandate), self.world.fresh())

    async def agrees(self, who, mandate=None):
        return await self.world.do(self.agreeing(who, mandate or await self.now()))


async def guarded(world, **terms):
    spender = await world.spender(100, **({"two_above": LINE} | terms))
    return Guarded(world, spender, await answerer(world, spender), await answerer(world, spender))


async def refused(world, unit, code="two-people-needed"):
    with pytest.raises((Forbidden, Conflict)) as raised:
        await world.do(unit)
    assert raised.value.code == code


@pytest.mark.parametrize("line", [None, LINE + 1])
async def test_one_alone_neither_raises_the_line_nor_takes_it_away(world, line):
    two = await guarded(world)
    before = await two.now()
    await refused(world, two.change(two_above=line))
    assert await two.now() == before
    assert (await world.do(two.change(two_above=LINE - 1))).two_above == LINE - 1
    assert (await world.do(two.change(two_above=LINE - 1, largest=50))).largest == 50


async def test_what_one_wants_is_so_once_another_agrees_and_not_before(world):
    two = await guarded(world)
    kept = await two.wants(two.ada, two_above=50, largest=80)
    assert (kept.two_above, kept.revision) == (LINE, 1)
    assert proposed_of(kept, world.clock.now_ns).who == two.ada
    await refused(world, two.agreeing(two.ada, kept))
    done = await two.agrees(two.bea)
    assert (done.two_above, done.largest, done.revision, done.proposed) == (50, 80, 2, "")
    assert done.name == kept.name
    told = await world.database.read(lambda tx: events_after(tx, None, 0, 500))
    [event] = [one for one in told if one.kind == Kind.MANDATE_SET and "agreed_by" in one.body]
    assert (event.body["proposed_by"], event.body["agreed_by"]) == (two.ada, two.bea)


async def test_it_is_agreed_to_exactly_and_once(world):
    two = await guarded(world)
    first = await two.wants(two.ada, two_above=50)
    second = await two.wants(two.ada, two_above=None)
    await refused(world, two.agreeing(two.bea, first), "mandate-changed")
    assert (await two.agrees(two.bea, second)).two_above is None
    await refused(world, two.agreeing(two.bea, second), "mandate-changed")


async def test_whatever_changes_the_mandate_ends_what_was_wanted_of_it(world):
    two = await guarded(world)
    kept = await two.wants(two.ada, two_above=50)
    change = two.change(two_above=LINE, largest=20)
    copied = msgspec.structs.replace(change.wanted, proposed=kept.proposed)
    assert (await world.do(replace(change, wanted=copied))).proposed == ""
    await refused(world, two.agreeing(two.bea, kept), "mandate-changed")
    # What was read before the change is not wanted of it now.
    earlier = ProposeMandate(two.change(two_above=50).wanted, two.ada, 1)
    await refused(world, earlier, "mandate-changed")
    kept = await two.wants(two.ada, two_above=50)
    await world.do(RevokeMandate(two.ident, None))
    await refused(world, two.agreeing(two.bea, await two.now()), "mandate-changed")


async def test_who_wanted_it_and_was_removed_counts_no_more(world):
    two = await guarded(world)
    kept = await two.wants(two.ada, two_above=50)
    await world.do(RemovePerson(two.ada))
    await refused(world, two.agreeing(two.bea, kept), "mandate-changed")
    with pytest.raises(Missing):
        await two.wants(two.ada, two_above=60)


async def test_a_ward_wants_nothing_and_agrees_to_nothing_and_may_decline(world):
    two = await guarded(world)
    ward = await answerer(world, two.spender, role=Role.WARD)
    with pytest.raises(Forbidden):
        await two.wants(ward.who, two_above=50)
    kept = await two.wants(two.ada, two_above=50)
    await refused(world, two.agreeing(ward.who, kept), "guardian-needed")
    after = await world.do(DeclineMandate(two.ident, two.owner, ward))
    assert (after.proposed, after.two_above, after.revision) == ("", LINE, 1)
    await refused(world, two.agreeing(two.bea, kept), "mandate-changed")
    assert await world.do(DeclineMandate(two.ident, two.owner, ward)) == after


async def test_somebody_of_another_owner_is_nobody(world):
    two, other = await guarded(world), await guarded(world)
    kept = await two.wants(two.ada, two_above=50)
    for unit in (
        two.agreeing(other.bea, kept),
        DeclineMandate(two.ident, other.owner, await answerer(world, other.spender)),
        ProposeMandate(kept, other.ada, kept.revision),
    ):
        with pytest.raises(Missing) as raised:
            await world.do(unit)
        assert raised.value.code == "no-such-mandate"
    nowhere = DeclineMandate(ids.name("man", world.fresh()), None, OPERATOR)
    with pytest.raises(Missing) as raised:
        await world.do(nowhere)
    assert raised.value.code == "no-such-mandate"


async def test_a_wish_keeps_neither_names_nor_a_wish_before_it(world):
    """A name can be deleted where it stands; within a wish it would be kept for good."""
    two = await guarded(world)
    await two.wants(two.ada, two_above=60)
    named = msgspec.structs.replace(await two.now(), name="Ada's car", two_above=50)
    assert named.proposed
    kept = await world.do(ProposeMandate(named, two.ada, named.revision))
    wanted = proposed_of(kept, world.clock.now_ns).wanted
    assert (wanted.name, wanted.proposed, wanted.two_above) == ("", "", 50)


async def test_after_three_days_nobody_agrees_any_more(world):
    two = await guarded(world)
    kept = await two.wants(two.ada, two_above=50)
    world.clock.move(AGREE_SECONDS - 1)
    proposed = proposed_of(kept, world.clock.now_ns)
    assert proposed_of(kept, proposed.ends_ns - 1) == proposed
    assert proposed_of(kept, proposed.ends_ns) is None
    world.clock.move(2)
    await refused(world, two.agreeing(two.bea, kept), "mandate-changed")


async def test_of_two_who_agree_at_once_or_one_who_declines_one_outcome_stays(world):
    two = await guarded(world)
    kept = await two.wants(two.ada, two_above=50)
    units = [two.agreeing(two.bea, kept), two.agreeing(two.bea, kept)]
    done = await asyncio.gather(*map(world.do, units), return_exceptions=True)
    assert sorted(isinstance(each, Conflict) for each in done) == [False, True]
    assert (await two.now()).revision == 2


@only("postgresql", "cluster and postgresql")
async def test_two_hubs_do_not_agree_and_decline_both(world, second_hub):
    two = await guarded(world)
    kept = await two.wants(two.ada, two_above=50)
    decline = DeclineMandate(two.ident, two.owner, await answerer(world, two.spender))
    units = [world.do(two.agreeing(two.bea, kept)), second_hub.do(decline)]
    done = await asyncio.gather(*units, return_exceptions=True)
    now = await two.now()
    assert now.proposed == ""
    assert (now.two_above == 50) == (not isinstance(done[0], Exception))


async def test_a_device_is_put_under_no_mandate_with_a_looser_line(world):
    two = await guarded(world)
    for line in (None, LINE + 1):
        looser = await world.mandate(two.owner, two_above=line)
        await refused(world, AssignMandate(two.spender.device.id, looser.id, two.owner))
    tighter = await world.mandate(two.owner, two_above=LINE)
    await world.do(AssignMandate(two.spender.device.id, tighter.id, two.owner))


@pytest.mark.parametrize("ends", ["nothing", "the mandate", "the device"])
async def test_a_further_device_of_the_account_is_under_the_line_whatever_was_revoked(world, ends):
    two = await guarded(world)
    account, device = two.spender.account, two.spender.device.id
    if ends != "nothing":
        by = RevokeMandate(two.ident, None) if ends == "the mandate" else RevokeDevice(device, None)
        await world.do(by)
    line = await world.database.read(lambda tx: two_above_at(tx, account))
    assert line == LINE
    looser, tight = await world.mandate(two.owner), await world.mandate(two.owner, two_above=LINE)
    for mandate, fine in ((looser, False), (tight, True)):
        code = code_hash(mandate.id)
        wanted = Invitation(
            code, ids.name("inv", world.fresh()), "", account, mandate.id, "", 0, ""
        )
        unit = InviteDevice(wanted, two.owner, 60, line)
        if fine:
            await world.do(unit)
        else:
            await refused(world, unit)


async def test_an_account_and_an_owner_without_a_line_have_none(world):
    free, two = await world.spender(10), await guarded(world)
    read = world.database.read
    assert await read(lambda tx: two_above_at(tx, free.account)) is None
    assert await read(lambda tx: has_lines(tx, two.owner))
    assert not await read(lambda tx: has_lines(tx, free.device.owner))


async def test_of_several_lines_the_lowest_binds(world):
    two = await guarded(world)
    other = await world.mandate(two.owner, two_above=LINE - 4)
    await world.device(two.spender.account, other.id)
    await world.device(two.spender.account, (await world.mandate(two.owner)).id)
    line = await world.database.read(lambda tx: two_above_at(tx, two.spender.account))
    assert line == LINE - 4


async def test_the_owner_alone_is_told_who_wants_it_and_who_declined_it(world):
    two = await guarded(world)
    await two.wants(two.ada, two_above=50)
    await world.do(DeclineMandate(two.ident, None, OPERATOR))
    told = await world.database.read(lambda tx: events_after(tx, None, 0, 500))
    kinds = (Kind.MANDATE_PROPOSED, Kind.MANDATE_DECLINED)
    first, second = [event for event in told if event.kind in kinds]
    assert (first.owner, first.body) == (two.owner, {"revision": "1", "proposed_by": two.ada})
    assert (second.owner, second.body) == (
        two.owner,
        {"revision": "1", "declined_by": "operator"},
    )
