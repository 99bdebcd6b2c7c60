"""Notices are no way to send others mail, to tire somebody out, or to learn who is known here."""

import asyncio

import pytest

from farthing.core.addresses import CODES_PER_PERSON, CODES_PER_PLACE, NOTICES_PER_PLACE
from farthing.core.listeners import lane_id
from farthing.core.notices import LANES
from farthing.core.telling import BeginNotice, EndNotice
from farthing.errors import Conflict
from farthing.notifiers.base import Posted
from farthing.store.notices import pending_of
from tests.notifiers.pigeon import Pigeon
from tests.services.test_telling import Told, in_town
from tests.web.api.town import LOCAL

DAY = 86_400


async def person(told: Told, owner: str = "buyer") -> str:
    body = {"name": "Eve", "roles": ["owner"], "owner": told.town.owners[owner]}
    return (await told.town.made("POST", "/v1/people", body, who=LOCAL))["id"]


async def add(told: Told, who: str, place: str, key: str = "buyer.owner"):
    body = {"way": "email", "place": place}
    answer = await told.town.ask("POST", f"/v1/people/{who}/addresses", body, who=key)
    await told.notices.quiet()
    return answer


@in_town
async def test_one_mailbox_gets_few_codes_in_a_day_whoever_asks(told: Told):
    eves = [await person(told) for _ in range(6)]
    places = ["ada@home.example", "ADA@home.example", "Ada@HOME.example"]
    for number, eve in enumerate(eves):
        answer = await add(told, eve, places[number % 3])
        assert answer.status_code == 201
    assert len(told.box.got) == CODES_PER_PLACE.most
    told.clock.move(DAY + 1)
    await add(told, await person(told), places[0])
    assert len(told.box.got) == CODES_PER_PLACE.most + 1


@in_town
async def test_one_person_sends_few_codes_in_a_day_wherever_to(told: Told):
    for number in range(CODES_PER_PERSON.most + 5):
        made = await add(told, told.person, f"victim{number}@home.example")
        assert made.status_code in (201, 409)  # A person has only so many addresses.
        if made.status_code == 201:
            await told.notices.remove(made.json()["id"], None)
    assert len(told.box.got) == CODES_PER_PERSON.most


@in_town
async def test_asking_for_a_place_tells_nothing_about_who_has_it(told: Told):
    """The same answer for a mailbox that is somebody's, nobody's, or asked for too often."""
    await told.prove("ada@home.example")
    answers = []
    for place in ["ada@home.example"] * 4 + ["nobody@home.example"]:
        eve = await person(told, "seller")
        answers.append(await add(told, eve, place, "seller.owner"))
    shapes = {(one.status_code, tuple(sorted(one.json())), one.json()["state"]) for one in answers}
    assert len(shapes) == 1
    unknown = await add(told, told.person, "ada@home.example", "seller.owner")
    nobodys = await add(told, "per_00000000000000000000000000", "ada@home.example", "seller.owner")
    assert unknown.status_code == nobodys.status_code == 404
    assert unknown.json() == nobodys.json()


@in_town
async def test_a_mailbox_is_told_so_much_in_an_hour_and_no_more(told: Told):
    address = await told.prove()
    ctx, ident, within = told.town.hub.ctx, lane_id(told.person, "security"), 0
    for _ in range(NOTICES_PER_PLACE.most + 3):
        found = await ctx.database.read(lambda tx: pending_of(tx, ident))
        begun = (await ctx.books.commit_one(BeginNotice(found.lane, 1, [address]))).answer
        within += begun.addresses == [address.id]
        await ctx.books.commit_one(EndNotice(begun.lane, []))
    assert within == NOTICES_PER_PLACE.most
    told.clock.move(NOTICES_PER_PLACE.seconds + 1)
    found = await ctx.database.read(lambda tx: pending_of(tx, ident))
    begun = (await ctx.books.commit_one(BeginNotice(found.lane, 2, [address]))).answer
    assert begun.addresses == [address.id]


@in_town
async def test_a_flood_of_asks_is_a_few_notices_and_hides_nothing_else(told: Told):
    await told.prove()
    town = told.town
    await town.enrol("greedy", "purse", await town.mandate(ask_above="1", ask_seconds=86_400))
    async with told.telling():
        for amount in range(40):
            body = town.payment(10 + amount, machine="greedy")
            assert (await town.ask("POST", "/v1/payments", body)).status_code == 202
        await told.new_key()
        for _ in range(500):
            texts = [mail.get_content() for mail in told.box.mails]
            if any("An API key was made." in text for text in texts) and len(await asks(told)) >= 6:
                break
            await asyncio.sleep(0.01)
        assert any("An API key was made." in text for text in texts)
        await told.still(60)
        sent = await asks(told)
        assert len(sent) == LANES["asks"].pace.most
        assert await asks(told) == sent
        told.clock.move(600)
        for _ in range(500):
            if sum(one.events for one in await asks(told)) == 40:
                break
            await asyncio.sleep(0.01)
    assert sum(one.events for one in await asks(told)) == 40
    assert len(await asks(told)) <= LANES["asks"].pace.most + 1


async def asks(told: Told):
    return [one for one in await told.tries() if ".asks." in one.notice]


@in_town
async def test_nobody_has_more_addresses_than_there_may_be(told: Told):
    for number in range(10):
        told.clock.move(DAY)
        await told.notices.add(told.person, None, "email", f"a{number}@home.example", "")
    with pytest.raises(Conflict) as refused:
        await told.notices.add(told.person, None, "email", "one-more@home.example", "")
    assert refused.value.code == "too-many-addresses"


class Broken(Pigeon):
    """A way that never works."""

    async def tell(self, _place, _keys, notice) -> Posted:
        self.told.append(notice)
        return Posted(503, "refused", 1)


@in_town
async def test_what_one_way_cannot_deliver_the_next_one_does_at_once(told: Told):
    """An ask matters now: it does not wait until the first way works again."""
    await told.prove()
    broken = told.notices.ways["sms"] = Broken()
    made = await told.notices.add(told.person, None, "sms", "+4930901820", "")
    await told.notices.quiet()
    await told.notices.prove(made.id, None, broken.code)
    broken.told.clear()
    await told.wish(classes=told.notices_by("sms", "email"))
    town = told.town
    await town.enrol("shy", "purse", await town.mandate(ask_above="1", ask_seconds=600))
    async with told.telling():
        await told.until(1)
        await town.ask("POST", "/v1/payments", town.payment(50, machine="shy"))
        for _ in range(2000):
            if "email" in {one.way for one in await asks(told)}:
                break
            await asyncio.sleep(0.01)
    tried = {(one.way, one.fault, one.attempt) for one in await asks(told)}
    assert tried == {("sms", "refused", 1), ("email", "", 1)}
    assert "waits for your answer" in told.box.mails[-1].get_content()


@in_town
async def test_an_ask_that_was_answered_meanwhile_is_not_told_any_more(told: Told):
    await told.prove()
    town = told.town
    await town.enrol("shy", "purse", await town.mandate(ask_above="1", ask_seconds=600))
    paid = await town.ask("POST", "/v1/payments", town.payment(50, machine="shy"))
    path = f"/v1/payments/{paid.json()['id']}/deny"
    await town.made("POST", path, who="buyer.owner")
    async with told.telling():
        await told.until(1)
        await told.still(30)
    assert not [one for one in told.box.mails if "waits for your answer" in one.get_content()]
