"""A push that no browser shows is followed by the next way, while there is time to answer."""

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import pytest

from farthing.core.telling import NOTICE_TRIES
from farthing.services import showing, telling_lanes
from farthing.store.queries import page
from tests.notifiers.pigeon import Pigeon
from tests.notifiers.subscriber import Subscriber

from .browser import Browser
from .test_approving import SMALL, Asked
from .test_pushing import Pushed, pushed_in

WAIT = 0.25
"""How long a browser has here to show what it is pushed. Units: seconds."""


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showing, "SHOWN_SECONDS", WAIT)


async def with_mail(one: Pushed) -> Pigeon:
    """Give a person whose browser is pushed to a mailbox as well."""
    pigeon = Pigeon()
    one.town.hub.desk.notices.ways["email"] = pigeon  # pyright: ignore[reportIndexIssue]
    await one.ada.submit("/account/notices/add", {"way": "email", "place": "ada@home.example"})
    await one.town.hub.desk.notices.quiet()
    address = re.search(
        r'name="address" value="([^"]+)"', (await one.ada.page("/account/notices")).text
    )
    assert address
    told = {"address": address[1], "code": pigeon.code}
    assert (await one.ada.submit("/account/notices/prove", told)).status_code == 303
    assert (await one.subscribe()).status_code == 200
    wishes = {"security.push": "on", "security.email": "on", "zone": "UTC", "language": "en"}
    assert (await one.ada.submit("/account/notices/set", wishes)).status_code == 303
    async with one.telling():  # That they were changed is told as well; it is no ask.
        await until(lambda: one.receiver.got)
    one.receiver.got.clear()
    pigeon.told.clear()
    return pigeon


async def until(holds: Any) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def asks(pigeon: Pigeon) -> list[str]:
    """Tell which payments were asked about by mail."""
    return [notice.subject for notice in pigeon.told if notice.subject]


async def say_shown(one: Pushed, ticket: str, **fields: str) -> Any:
    """Say that a notice is shown, as a service worker does where nobody is signed in."""
    return await Browser(one.town).post("/push/shown", {"ticket": ticket}, **fields)


async def test_a_push_that_no_browser_shows_is_followed_by_mail_before_the_deadline(tmp_path: Path):
    async with pushed_in(tmp_path) as one:
        pigeon = await with_mail(one)
        payment = await one.asks(SMALL)
        async with one.telling():
            await one.pushed(lambda told: told["subject"] == payment)
            assert asks(pigeon) == []
            await until(lambda: asks(pigeon))
        assert asks(pigeon) == [payment]
        [mail] = [notice for notice in pigeon.told if notice.subject]
        assert mail.seconds > 300  # Of the ask's ten minutes.
        assert mail.ident == (await one.pushed(lambda told: told["subject"] == payment))["id"]


async def test_a_push_that_is_shown_or_answered_is_not_told_again(tmp_path: Path):
    async with pushed_in(tmp_path) as one:
        pigeon = await with_mail(one)
        async with one.telling():
            shown = await one.asks(SMALL)
            told = await one.pushed(lambda told: told["subject"] == shown)
            for _ in range(2):
                assert (await say_shown(one, told["shown"])).status_code == 200
            answered = await one.asks(SMALL - 1)
            told = await one.pushed(lambda told: told["subject"] == answered)
            assert (await one.say(told["ticket"], "deny")).status_code == 200
            await asyncio.sleep(2 * WAIT)
        assert asks(pigeon) == []
        read = one.town.hub.ctx.database.read
        tries = await read(lambda tx: page(tx, NOTICE_TRIES, {"way": "shown"}))
        assert [one.fault for one in tries] == [""]


async def stopped_after_a_push(one: Pushed, payment: str) -> Any:
    """Push an ask, and have the hub stopped before anybody waited for it to be shown."""
    async with one.telling():
        told = await one.pushed(lambda told: told["subject"] == payment)
        await until_told(one, 1)
    return told


async def until_told(one: Pushed, count: int) -> list[str]:
    """Wait until so many tries of asks are recorded, and name their ways."""
    found: list[Any] = []

    async def look() -> list[Any]:
        read = one.town.hub.ctx.database.read
        tries = await read(lambda tx: page(tx, NOTICE_TRIES, {}, limit=500))
        return [each for each in tries if ".asks." in each.notice]

    deadline = time.monotonic() + 20
    while len(found := await look()) < count:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    return sorted(each.way for each in found)


async def test_a_push_that_is_not_shown_is_followed_by_whoever_tells_next(tmp_path: Path):
    async with pushed_in(tmp_path) as one:
        pigeon = await with_mail(one)
        payment = await one.asks(SMALL)
        told = await stopped_after_a_push(one, payment)
        assert asks(pigeon) == []
        one.receiver.got.clear()
        async with one.telling():
            assert await until_told(one, 2) == ["email", "push"]
        [mail] = [notice for notice in pigeon.told if notice.subject]
        assert (mail.subject, mail.ident) == (payment, told["id"])
        async with one.telling():  # Once is enough, however often somebody begins to tell.
            await asyncio.sleep(2 * WAIT)
        assert asks(pigeon) == [payment]
        assert one.receiver.got == []


@pytest.mark.parametrize("ends", ["shown", "answered"])
async def test_what_was_shown_or_answered_before_or_after_a_restart_is_not_told_again(
    tmp_path: Path, ends: str
):
    async with pushed_in(tmp_path) as one:
        pigeon = await with_mail(one)
        payment = await one.asks(SMALL)
        told = await stopped_after_a_push(one, payment)
        if ends == "shown":
            assert (await say_shown(one, told["shown"])).status_code == 200
        else:
            assert (await one.say(told["ticket"], "deny")).status_code == 200
        async with one.telling():
            await asyncio.sleep(2 * WAIT)
        assert asks(pigeon) == []


@pytest.mark.parametrize("seen", [0, 1])
async def test_of_several_pushes_before_a_restart_those_not_shown_are_told_each_once(
    tmp_path: Path, seen: int
):
    async with pushed_in(tmp_path) as one:
        pigeon = await with_mail(one)
        both = [await one.asks(SMALL), await one.asks(SMALL - 1)]
        async with one.telling():
            await one.pushed(lambda told: told["subject"] == both[1 - seen])
            told = await one.pushed(lambda told: told["subject"] == both[seen])
            await until_told(one, 2)
        assert (await say_shown(one, told["shown"])).status_code == 200
        async with one.telling():
            await until(lambda: asks(pigeon))
            await asyncio.sleep(WAIT)
        assert asks(pigeon) == [both[1 - seen]]


async def test_a_way_that_fails_after_an_unshown_push_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(telling_lanes, "_ASK_AGAIN_SECONDS", 0.05)
    async with pushed_in(tmp_path) as one:
        pigeon = await with_mail(one)
        pigeon.fault = "refused"
        payment = await one.asks(SMALL)
        async with one.telling():
            await until(lambda: len(asks(pigeon)) >= 2)
            pigeon.fault = ""
            await until_told(one, 4)
        assert set(asks(pigeon)) == {payment}


async def test_what_says_that_it_is_shown_proves_it(tmp_path: Path):
    async with pushed_in(tmp_path) as one:
        await one.subscribe()
        told = await one.push_of(await one.asks(SMALL))
        for odd in (
            "",
            "x",
            told["shown"] + "A",
            told["shown"].replace(".asks.", ".money."),
            "§.§",
        ):
            assert (await say_shown(one, odd)).json()["code"] == "bad-ticket", odd
        foreign = await say_shown(one, told["shown"], origin="https://evil.example")
        assert foreign.json()["code"] == "foreign-page"
        assert (await one.say(told["shown"], "approve")).json()["code"] == "bad-ticket"


async def test_a_wards_notice_approves_nothing(tmp_path: Path):
    async with pushed_in(tmp_path) as one:
        mia = Browser(one.town)
        assert (await mia.join(await mia.invited(name="Mia", roles=["ward"]))).status_code == 200
        hers = Pushed(Asked(one.town, mia), one.receiver)
        await hers.subscribe()
        await hers.show_amounts()
        told = await hers.push_of(await hers.asks(SMALL))
        assert "20 USD" in told["body"]
        assert [each["action"] for each in told["actions"]] == ["deny"]
        assert (await hers.say(told["ticket"], "approve")).json()["code"] == "guardian-needed"


async def test_a_browser_that_gets_another_place_is_pushed_to_there_alone(tmp_path: Path):
    async with pushed_in(tmp_path) as one:
        await one.subscribe()
        before, anew = one.url, Subscriber()
        body = anew.subscription(f"{one.receiver.url}/anew") | {"old": before}
        assert (await Browser(one.town).post("/push/renew", body)).status_code == 401
        foreign = await one.ada.post("/push/renew", body, origin="https://evil.example")
        assert foreign.json()["code"] == "foreign-page"
        assert (await one.ada.post("/push/renew", body)).json()["address"].startswith("adr_")
        _, addresses = await one.town.hub.desk.notices.of(one.ada.person["id"], None)
        assert [each.place for each in addresses] == [f"{one.receiver.url}/anew"]


async def test_a_short_link_goes_to_the_payment_and_nowhere_else(tmp_path: Path):
    async with pushed_in(tmp_path) as one:
        payment = await one.asks(SMALL)
        short = await one.ada.page(f"/a/{payment.removeprefix('pay_')}")
        assert short.headers["location"] == f"/wallet/payments/{payment}"
        for odd in ("x", "%2f%2fevil.example", "01m8"):
            answer = await one.ada.page(f"/a/{odd}")
            assert (answer.status_code, "location" in answer.headers) in (
                (400, False),
                (404, False),
            )
