"""A browser subscribes, is pushed an ask by a real server, and answers it from the notice."""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from standardwebhooks import Webhook

from farthing.core.notices import Wishes
from farthing.services.telling import Teller
from farthing.settings import NoticeSettings
from farthing.testing.worlds import HandClock
from tests.notifiers.subscriber import Subscriber
from tests.receiver import Receiver, receiving
from tests.web.api.town import LOCAL, changed, config_in, open_town

from .browser import Browser
from .test_approving import LARGE, SMALL, Asked


class Pushed(Asked):
    """Somebody whose browser is pushed what happens."""

    def __init__(self, asked: Asked, receiver: Receiver) -> None:
        super().__init__(asked.town, asked.ada)
        self.browser, self.receiver = Subscriber(), receiver

    @property
    def url(self) -> str:
        return f"{self.receiver.url}/push"

    async def subscribe(self, **more: Any) -> Any:
        body = self.browser.subscription(self.url) | more
        return await self.ada.post("/push/subscribe", body, **{"x-csrf": await self.ada.mark()})

    async def show_amounts(self) -> None:
        notices, person = self.town.hub.desk.notices, self.ada.person["id"]
        listener, _ = await notices.of(person, None)
        wishes: Wishes = msgspec.structs.replace(listener.wishes, shows_amounts=True)
        await self.town.hub.ctx.books.commit_one(notices.wishing(person, None, wishes))

    @contextlib.asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        self.town.clock.move(1)
        teller = Teller(self.town.hub.ctx, self.town.hub.desk.notices, 0.02)
        teller.start()
        try:
            yield
        finally:
            await teller.stop()

    async def pushed(self, holds: Callable[[Any], bool]) -> Any:
        """Wait for a push of which this holds, and read it."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            told = [self.browser.read(got.body) for got in self.receiver.got]
            if found := [one for one in told if holds(one)]:
                return found[0]
            await asyncio.sleep(0.01)
        raise AssertionError("it was not pushed")

    async def push_of(self, payment: str) -> Any:
        async with self.telling():
            return await self.pushed(lambda told: told["subject"] == payment)

    async def say(self, ticket: str, said: str, who: Browser | None = None) -> Any:
        return await (who or self.ada).post("/push/answer", {"ticket": ticket, "answer": said})


@contextlib.asynccontextmanager
async def pushed_in(folder: Path) -> AsyncIterator[Pushed]:
    config = changed(config_in(folder), notices=NoticeSettings(allow_networks=["127.0.0.0/8"]))
    with receiving() as receiver:
        async with open_town(folder, clock=HandClock(), config=config) as town:
            credit = {"account": town.accounts["purse"], "units": "90000000", "asset": "USD"}
            await town.made("POST", "/v1/credits", credit, who=LOCAL)
            await town.enrol("big", "purse", await town.mandate(ask_above="1", ask_seconds=600))
            yield Pushed(Asked(town, await Browser(town).joined()), receiver)


async def test_an_ask_is_pushed_and_approved_from_the_notice_that_shows_the_amount(tmp_path: Path):
    async with pushed_in(tmp_path) as one:
        assert (await one.subscribe()).json()["address"].startswith("adr_")
        await one.show_amounts()
        payment = await one.asks(SMALL)
        told = await one.push_of(payment)
        assert told["body"] == "A payment waits for your answer: 20 USD → seller"
        assert "20" not in told["title"]
        assert told["url"].endswith(f"/wallet/payments/{payment}")
        assert [each["action"] for each in told["actions"]] == ["approve", "deny"]
        for _ in range(2):
            answer = await one.say(told["ticket"], "approve")
            assert answer.json() == {"payment": payment, "state": "captured"}
        assert (await one.say(told["ticket"], "deny")).status_code == 409


async def test_what_a_notice_does_not_show_or_is_too_large_it_cannot_approve(tmp_path: Path):
    async with pushed_in(tmp_path) as one:
        await one.subscribe()
        hidden = await one.asks(SMALL)
        told = await one.push_of(hidden)
        assert "USD" not in json.dumps(told)
        await one.show_amounts()
        large = await one.asks(LARGE)
        for payment in (hidden, large):
            told = await one.push_of(payment)
            assert [each["action"] for each in told["actions"]] == ["deny"]
            assert (await one.say(told["ticket"], "approve")).json()["code"] == "passkey-needed"
            forged = told["ticket"].replace(".deny.", ".both.")
            assert (await one.say(forged, "approve")).json()["code"] == "bad-ticket"
            assert await one.state(payment) == "awaiting"
        assert (await one.say(told["ticket"], "deny")).json()["state"] == "refused"


async def test_a_ticket_is_for_one_person_one_payment_and_who_is_signed_in(tmp_path: Path):
    async with pushed_in(tmp_path) as one:
        await one.subscribe()
        await one.show_amounts()
        payment, other = await one.asks(SMALL), await one.asks(SMALL - 1)
        ticket = (await one.push_of(payment))["ticket"]
        bea = await Browser(one.town).joined()  # Of the same owner, and asked by herself.
        for who, said in ((bea, ticket), (one.ada, ticket.replace(payment, other))):
            assert (await one.say(said, "approve", who)).json()["code"] == "bad-ticket"
        nobody = Browser(one.town)
        assert (await one.say(ticket, "approve", nobody)).json()["code"] == "not-signed-in"
        answer = await one.ada.post(
            "/push/answer", {"ticket": ticket, "answer": "approve"}, origin="https://evil.example"
        )
        assert answer.json()["code"] == "foreign-page"
        for odd in ("", "§", f"{payment}.both.x", "a.b.c"):
            assert (await one.say(odd, "approve")).json()["code"] == "bad-ticket"
        assert (await one.say(ticket, "perhaps")).json()["code"] == "malformed-answer"
        assert await one.state(payment) == await one.state(other) == "awaiting"


async def test_a_browser_is_one_address_and_is_forgotten_when_it_wants_no_more(tmp_path: Path):
    async with pushed_in(tmp_path) as one:
        key = (await one.ada.page("/push/key")).json()["key"]
        assert key == one.town.hub.desk.notices.push_key
        first, again = await one.subscribe(), await one.subscribe()
        assert first.json() == again.json()
        mark = {"x-csrf": await one.ada.mark()}
        await one.ada.post("/push/unsubscribe", {"endpoint": one.url}, **mark)
        assert (await one.town.hub.desk.notices.of(one.ada.person["id"], None))[1] == []
        away = await one.subscribe(endpoint="https://169.254.169.254/latest")
        assert away.json()["code"] == "url-refused"
        unmarked = await one.ada.post("/push/subscribe", one.browser.subscription(one.url))
        assert unmarked.json()["code"] == "foreign-page"
        odd = await one.subscribe(keys={"p256dh": "x", "auth": "y"})
        assert odd.json()["code"] == "malformed-push-keys"


async def test_a_browser_that_is_gone_is_told_nothing_more(tmp_path: Path):
    async with pushed_in(tmp_path) as one:
        await one.subscribe()
        one.receiver.answers = lambda _got: 410
        payment = await one.asks(SMALL)
        async with one.telling():
            deadline = time.monotonic() + 20
            while (await one.town.hub.desk.notices.of(one.ada.person["id"], None))[1]:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)
        assert len(one.receiver.got) == 1
        assert await one.state(payment) == "awaiting"


async def test_a_program_of_ones_own_is_told_signed_once_it_has_shown_the_code(tmp_path: Path):
    async with pushed_in(tmp_path) as one:
        place = {"way": "webhook", "place": f"{one.receiver.url}/told"}
        path = f"/v1/people/{one.ada.person['id']}/addresses"
        made = await one.town.made("POST", path, place, who="buyer.owner")
        await one.town.hub.desk.notices.quiet()
        [got] = one.receiver.got
        at = datetime.fromtimestamp(int(got.headers["webhook-timestamp"]), UTC)
        signed = Webhook(made["secret"]).sign(got.id, at, got.body.decode())
        assert got.headers["webhook-signature"] == signed
        assert got.told["type"] == "notice.code"
        code = re.search(r"[0-9]{6}", got.told["data"]["body"])[0]
        prove = f"/v1/addresses/{made['id']}/prove"
        proven = await one.town.made("POST", prove, {"code": code}, who="buyer.owner")
        assert (proven["state"], "secret" in proven) == ("on", False)
