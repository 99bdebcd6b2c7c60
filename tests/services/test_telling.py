"""People are told what happens: once, when they wish, by mail that a real server receives."""

import asyncio
import contextlib
import re
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from farthing.clock import NS
from farthing.core.addresses import CODE_TRIES
from farthing.core.listeners import ADDRESSES, lane_id
from farthing.core.notices import Class, Wish, Wishes
from farthing.core.telling import NOTICE_TRIES, UNCLEAR, BeginNotice
from farthing.errors import Forbidden, Malformed
from farthing.notifiers.email import Mail
from farthing.services.telling import Teller
from farthing.store.notices import pending_of
from farthing.store.queries import one, page
from farthing.testing.worlds import HandClock
from tests.notifiers.mailbox import Mailbox, receiving_mail
from tests.web.api.town import LOCAL, Town, config_in, open_town

NOON = int(datetime.fromisoformat("2027-01-10T12:00:00+00:00").timestamp()) * NS
BY_MAIL = {about: Wish(["email"]) for about in (Class.SECURITY, Class.MONEY, Class.ACCOUNT)}


class Ticking(HandClock):
    """A clock that is moved by hand, and stands never quite still, as the books' time does."""

    def __call__(self) -> int:
        self.now_ns += 1000
        return self.now_ns


class Told:
    """A town whose buyer's person has a mailbox."""

    def __init__(self, town: Town, box: Mailbox, clock: HandClock, person: str) -> None:
        self.town, self.box, self.clock, self.person = town, box, clock, person

    @property
    def notices(self) -> Any:
        return self.town.hub.desk.notices

    @staticmethod
    def notices_by(*ways: str) -> Any:
        return {about: Wish(list(ways)) for about in BY_MAIL}

    async def wish(self, **members: Any) -> None:
        wishes = Wishes(**({"classes": BY_MAIL} | members))
        await self.town.hub.ctx.books.commit_one(self.notices.wishing(self.person, None, wishes))

    async def prove(self, place: str = "ada@home.example", person: str = "") -> Any:
        made = await self.notices.add(person or self.person, None, "email", place, "")
        await self.notices.quiet()
        code = re.search(r"\b[0-9]{6}\b", self.box.mails[-1].get_content())[0]
        self.box.got.clear()
        return await self.notices.prove(made.id, None, code)

    async def until(self, count: int) -> list[str]:
        """Wait until so many mails came and were recorded, and give what they say."""
        for _ in range(400):
            if len(self.box.got) >= count and len(await self.tries()) >= count:
                break
            await asyncio.sleep(0.01)
        return [mail.get_content() for mail in self.box.mails]

    async def still(self, moved: float = 0) -> list[str]:
        """Move the clock, let the teller look twice, and give what all mails say."""
        self.clock.move(moved)
        await asyncio.sleep(0.12)
        return [mail.get_content() for mail in self.box.mails]

    async def tries(self) -> list[Any]:
        read = self.town.hub.ctx.database.read
        return await read(lambda tx: page(tx, NOTICE_TRIES, {}, limit=500))

    def credit(self, units: int) -> Any:
        account = self.town.accounts["purse"]
        return {"account": account, "units": str(units), "asset": "USD"}

    async def new_key(self) -> None:
        wanted = {"scopes": ["read"], "owner": self.town.owners["buyer"]}
        await self.town.made("POST", "/v1/keys", wanted, who=LOCAL)

    @contextlib.asynccontextmanager
    async def telling(self, look_seconds: float = 0.02):
        teller = Teller(self.town.hub.ctx, self.notices, look_seconds)
        teller.start()
        try:
            yield
        finally:
            await teller.stop()


@contextlib.asynccontextmanager
async def told_in(folder: Path):
    clock = Ticking(NOON)
    with receiving_mail() as (box, server):
        async with open_town(folder, clock=clock, config=config_in(folder)) as town:
            town.hub.desk.notices.ways = {"email": Mail(server, clock)}
            body = {"name": "Ada", "roles": ["owner"], "owner": town.owners["buyer"]}
            person = (await town.made("POST", "/v1/people", body, who=LOCAL))["id"]
            yield Told(town, box, clock, person)


def in_town(test: Callable[[Told], Any]) -> Any:
    """Give a test a hub, and somebody who is told."""

    async def run(tmp_path: Path) -> None:
        async with told_in(tmp_path) as told:
            await test(told)

    run.__name__ = test.__name__
    return run


@in_town
async def test_a_payment_is_told_a_minute_later_once_with_all_others_of_that_minute(told: Told):
    await told.wish(shows_amounts=True)
    await told.prove()
    async with told.telling():
        for units in (1_000_000, 500_000):
            await told.town.made("POST", "/v1/credits", told.credit(units), who=LOCAL)
        assert await told.still(30) == []
        told.clock.move(31)
        [text] = await told.until(1)
        assert "An account got test money (2 times): 1.5 USD" in text
        assert "you are told about “Money moved”" in text
        assert "/notices/stop/" in text
        assert len(await told.still(600)) == 1


@in_town
async def test_nobody_is_told_before_they_have_shown_that_they_read_what_is_sent(told: Told):
    made = await told.notices.add(told.person, None, "email", "ada@home.example", "")
    await told.notices.quiet()
    [mail] = told.box.mails
    assert (made.state, mail["to"]) == ("unproven", "ada@home.example")
    assert mail["list-unsubscribe"] is None
    async with told.telling():
        await told.new_key()
        assert len(await told.still(120)) == 1  # The code's time is not over.
    for _ in range(CODE_TRIES):
        with pytest.raises(Forbidden) as refused:
            await told.notices.prove(made.id, None, "000000")
        assert refused.value.code == "bad-address-code"
    code = re.search(r"[0-9]{6}", mail.get_content())[0]
    with pytest.raises(Forbidden):
        await told.notices.prove(made.id, None, code)  # It was guessed at too often.


@in_town
async def test_a_code_is_good_for_a_quarter_of_an_hour(told: Told):
    made = await told.notices.add(told.person, None, "email", "ada@home.example", "")
    await told.notices.quiet()
    code = re.search(r"[0-9]{6}", told.box.mails[0].get_content())[0]
    told.clock.move(901)
    with pytest.raises(Forbidden):
        await told.notices.prove(made.id, None, code)


@in_town
async def test_what_happened_before_anybody_was_told_is_not_told(told: Told):
    await told.new_key()
    await told.prove()
    async with told.telling():
        assert await told.still(3600) == []


@in_town
async def test_quiet_hours_hold_what_is_not_urgent_and_nothing_is_lost(told: Told):
    await told.wish(quiet=["11:00-13:00"], zone="Europe/London")
    await told.prove()
    async with told.telling():
        await told.town.made("POST", "/v1/credits", told.credit(5), who=LOCAL)
        await told.new_key()
        [text] = await told.until(1)
        assert "An API key was made." in text
        assert len(await told.still(600)) == 1
        told.clock.move(3001)
        assert "test money" in (await told.until(2))[1]


@in_town
async def test_what_another_process_commits_is_told_as_soon(told: Told):
    """No signal comes of it; an ask must reach its owner within a second all the same."""
    await told.prove()
    ctx = told.town.hub.ctx
    ctx.database.exclusive = False
    async with told.telling(look_seconds=60):
        await asyncio.sleep(0.5)  # It waits for a signal now.
        ctx.committed.give = lambda: None
        await told.new_key()
        assert "An API key was made." in (await told.until(1))[0]


@in_town
async def test_nothing_is_told_twice_by_who_comes_next(told: Told):
    await told.prove()
    for count in (1, 2):
        async with told.telling():
            await told.new_key()
            await told.until(count)
            await told.still(60)
    texts = [mail.get_content() for mail in told.box.mails]
    assert len([text for text in texts if "An API key was made." in text]) == 2
    idents = [mail["message-id"] for mail in told.box.mails]
    assert len(set(idents)) == len(idents)


@in_town
async def test_a_server_that_is_away_is_tried_again_under_the_same_name(told: Told):
    await told.prove()
    told.box.answer = "451 later"
    async with told.telling():
        await told.new_key()
        for _ in range(200):
            if await told.tries():
                break
            await asyncio.sleep(0.01)
        assert told.box.got == []
        told.box.answer = "250 OK"
        assert await told.still(20) == []
        told.clock.move(11)
        await told.until(1)
    tries = (await told.tries())[::-1]
    assert [(one.fault, one.attempt) for one in tries] == [("refused", 1), ("", 2)]
    assert len({one.notice for one in tries}) == 1
    assert told.box.mails[0]["message-id"].startswith(f"<{tries[0].notice}@")


class Broken:
    """A way with a bug in it."""

    def check(self, place: str, keys: str) -> None:
        """Take anything."""

    async def tell(self, _place: str, _keys: str, _notice: Any) -> Any:
        raise ZeroDivisionError

    async def close(self) -> None:
        """Hold nothing."""


@in_town
async def test_a_way_that_is_broken_keeps_nobody_from_the_next(told: Told):
    await told.prove()
    told.notices.ways["push"] = Broken()
    await told.notices.add(told.person, None, "push", "https://push.example/a", "")
    await told.wish(classes=told.notices_by("push", "email"))
    async with told.telling():
        await told.new_key()
        mails = await told.until(3)
    assert any("An API key was made" in mail for mail in mails)
    tries = {(one.way, one.fault) for one in await told.tries()}
    assert tries == {("push", "unreachable"), ("email", "")}


@in_town
async def test_a_mailbox_that_is_not_there_is_forgotten(told: Told):
    address = await told.prove()
    told.box.answer = "550 no such mailbox"
    async with told.telling():
        await told.new_key()
        for _ in range(200):
            _, addresses = await told.notices.of(told.person, None)
            if not addresses:
                break
            await asyncio.sleep(0.01)
    assert addresses == []
    read = told.town.hub.ctx.database.read
    gone = await read(lambda tx: one(tx, ADDRESSES, address.id))
    assert (gone.state, gone.why, gone.place) == ("removed", "gone", "")


@in_town
async def test_one_click_turns_a_class_off_and_security_cannot_be(told: Told):
    await told.wish()
    await told.prove()
    async with told.telling():
        await told.town.made("POST", "/v1/credits", told.credit(5), who=LOCAL)
        told.clock.move(61)
        [text] = await told.until(1)
        ticket = re.search(r"/notices/stop/(\S+)", text)[1]
        assert await told.notices.stop(ticket) is Class.MONEY
        assert "What you are told was changed." in (await told.until(2))[1]
        await told.town.made("POST", "/v1/credits", told.credit(5), who=LOCAL)
        assert len(await told.still(7200)) == 2
    with pytest.raises(Malformed):
        await told.notices.stop(ticket.replace("money", "account"))
    own = told.notices.stop_url(told.person, Class.SECURITY).rpartition("/")[2]
    with pytest.raises(Malformed) as refused:
        await told.notices.stop(own)
    assert refused.value.code == "security-unheard"


@in_town
async def test_a_person_who_may_not_sign_in_any_more_is_told_nothing(told: Told):
    await told.prove()
    await told.town.made("POST", f"/v1/people/{told.person}/remove", who=LOCAL)
    async with told.telling():
        await told.new_key()
        assert await told.still(60) == []


@in_town
async def test_what_may_have_gone_out_when_the_hub_was_killed_is_told_again_only_if_urgent(
    told: Told,
):
    await told.wish()
    await told.prove()
    lanes = [lane_id(told.person, name) for name in ("money", "security")]
    await told.town.made("POST", "/v1/credits", told.credit(5), who=LOCAL)
    await told.new_key()
    ctx = told.town.hub.ctx
    for ident in lanes:
        found = await ctx.database.read(partial(pending_of, lane=ident))
        await ctx.books.commit_one(BeginNotice(found.lane, found.events[-1].number, []))
    told.clock.move(120)
    async with told.telling():
        [text] = await told.until(1)
        await told.still(60)
    assert "An API key was made." in text
    assert len(told.box.got) == 1
    assert sorted(one.fault for one in await told.tries()) == ["", UNCLEAR]


@in_town
async def test_who_is_paid_is_told_so_and_how_much_by_whom_it_was_wished(told: Told):
    body = {"name": "Sam", "roles": ["owner"], "owner": told.town.owners["seller"]}
    told.person = (await told.town.made("POST", "/v1/people", body, who=LOCAL))["id"]
    await told.wish(shows_amounts=True)
    await told.prove("sam@shop.example")
    async with told.telling():
        for units in (1500, 500):
            await told.town.pay(units)
        told.clock.move(61)
        [text] = await told.until(1)
    assert "You were paid (2 times): 0.002 USD" in text
