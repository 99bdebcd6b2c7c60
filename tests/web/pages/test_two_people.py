"""Two people approve above a line: each sees what the other said, and one alone pays nothing."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from farthing.app import open_hub
from farthing.core.approvals import terms_of
from farthing.core.payments import PAYMENTS
from farthing.errors import present
from farthing.settings import NoticeSettings
from farthing.store.queries import one
from farthing.testing.worlds import HandClock
from farthing.web.app import HubApp
from tests.receiver import receiving
from tests.web.api.town import LOCAL, changed, config_in, open_town

from .browser import Browser
from .test_approving import LARGE, SMALL, Asked
from .test_limits import editing
from .test_pushing import Pushed

BOTH = "Ada approved it. One more person has to."
MINE = "You approved it. One more person has to"


class Both:
    """A device whose owner has two people who approve, above one cent."""

    def __init__(self, ada: Asked, bea: Asked) -> None:
        self.ada, self.bea, self.town = ada, bea, ada.town

    async def shown(self, who: Asked, payment: str) -> str:
        """Open the payment's page."""
        return (await who.ada.page(f"/wallet/payments/{payment}")).text


async def another(town: Any, **more: Any) -> Browser:
    """Let one more person in."""
    bea = Browser(town)
    assert (await bea.join(await bea.invited(**({"name": "Bea"} | more)))).status_code == 200
    return bea


@contextlib.asynccontextmanager
async def both_in(folder: Path, **terms: Any) -> AsyncIterator[Both]:
    async with open_town(folder, clock=HandClock()) as town:
        credit = {"account": town.accounts["purse"], "units": "90000000", "asset": "USD"}
        await town.made("POST", "/v1/credits", credit, who=LOCAL)
        mandate = await town.mandate(**({"two_above": "10000", "ask_seconds": 600} | terms))
        await town.enrol("big", "purse", mandate)
        ada = Asked(town, await Browser(town).joined())
        yield Both(ada, Asked(town, await another(town)))


async def test_the_second_sees_who_approved_first_and_the_first_that_it_waits(tmp_path: Path):
    async with both_in(tmp_path) as both:
        payment = await both.ada.asks(SMALL)
        assert "Two people have to approve above" in await both.shown(both.ada, payment)
        assert (await both.ada.answer(payment)).status_code == 303
        mine, hers = [await both.shown(who, payment) for who in (both.ada, both.bea)]
        assert MINE in mine
        assert 'value="approve"' not in mine
        assert 'value="deny"' in mine
        assert BOTH in hers
        assert 'value="approve"' in hers
        assert "<dt>Approved</dt><dd>Ada, signed in" in hers
        assert BOTH in (await both.bea.ada.page("/wallet")).text
        assert (await both.bea.answer(payment)).status_code == 303
        assert await both.ada.state(payment) == "captured"
        receipt = await both.shown(both.ada, payment)
        assert "<dd>Ada, signed in" in receipt
        assert "<dd>Bea, signed in" in receipt


async def test_a_device_waits_until_both_have_approved(tmp_path: Path):
    async with both_in(tmp_path) as both:
        payment = await both.ada.asks(SMALL)
        for _ in range(2):  # Twice is not two.
            assert (await both.ada.answer(payment)).status_code == 303
            both.town.clock.move(1)
            shown = await both.town.made("GET", f"/v1/payments/{payment}", who="big")
            assert (shown["state"], shown["captured"]) == ("awaiting", "0")
            assert "answers" not in shown


async def test_each_of_two_needs_a_passkey_of_their_own_above_the_limit(tmp_path: Path):
    async with both_in(tmp_path) as both:
        payment = await both.ada.asks(LARGE)
        assert (await both.ada.answer(payment)).status_code == 401
        proof = await both.ada.proof(payment)
        assert (await both.ada.answer(payment, proof=proof)).status_code == 303
        for stolen in ({}, {"proof": proof}):
            assert (await both.bea.answer(payment, **stolen)).status_code == 401
        assert await both.ada.state(payment) == "awaiting"
        await both.bea.answer(payment, proof=await both.bea.proof(payment))
        shown = await both.town.made("GET", f"/v1/payments/{payment}", who="buyer.owner")
        assert [said["means"] for said in shown["answers"]] == ["passkey", "passkey"]
        assert shown["state"] == "captured"


@pytest.mark.parametrize("who", ["ada", "bea"])
async def test_either_ends_it_with_a_tap(tmp_path: Path, who: str):
    async with both_in(tmp_path) as both:
        payment = await both.ada.asks(LARGE)
        await both.ada.answer(payment, proof=await both.ada.proof(payment))
        assert (await getattr(both, who).answer(payment, "deny")).status_code == 303
        assert await both.ada.state(payment) == "refused"


async def test_who_approved_first_and_was_removed_is_neither_counted_nor_named(tmp_path: Path):
    async with both_in(tmp_path) as both:
        payment = await both.ada.asks(SMALL)
        await both.ada.answer(payment)
        gone = both.ada.ada.person["id"]
        await both.town.made("POST", f"/v1/people/{gone}/remove", who=LOCAL)
        assert BOTH not in await both.shown(both.bea, payment)
        await both.bea.answer(payment)
        assert await both.bea.state(payment) == "awaiting"
        cid = Asked(both.town, await another(both.town, name="Cid"))
        await cid.answer(payment)
        assert await both.bea.state(payment) == "captured"


async def test_a_key_and_the_operator_cannot_stand_for_two_people(tmp_path: Path):
    async with both_in(tmp_path) as both:
        payment = await both.ada.asks(SMALL)
        await both.ada.answer(payment)
        for who in ("buyer.owner", LOCAL):
            path = f"/v1/payments/{payment}"
            told = await both.town.ask("POST", f"{path}/approve", who=who)
            assert (told.status_code, told.json()["code"]) == (403, "two-people-needed")
        denied = await both.town.made("POST", f"{path}/deny", who="buyer.owner")
        assert [said["means"] for said in denied["answers"]] == ["session", "key"]


async def test_a_wards_yes_is_not_the_second(tmp_path: Path):
    async with both_in(tmp_path) as both:
        payment = await both.ada.asks(SMALL)
        await both.ada.answer(payment)
        mia = Asked(both.town, await another(both.town, name="Mia", roles=["ward"]))
        assert (await mia.answer(payment)).status_code == 403
        assert await both.ada.state(payment) == "awaiting"


async def test_a_hub_that_was_lost_between_the_two_still_knows_the_first(tmp_path: Path):
    async with both_in(tmp_path) as both:
        payment = await both.ada.asks(SMALL)
        await both.ada.answer(payment)
        town = both.town
        await town.hub.close()
        town.hub = await open_hub(config_in(tmp_path), clock=town.clock)
        bea = Browser(town, HubApp(town.hub.desk))
        bea.key, bea.http.cookies = both.bea.ada.key, both.bea.ada.http.cookies
        assert BOTH in (await bea.page(f"/wallet/payments/{payment}")).text
        kept = present(await town.hub.ctx.database.read(lambda tx: one(tx, PAYMENTS, payment)), "")
        form = {"answer": "approve", "terms": terms_of(kept)}
        assert (await bea.submit(f"/wallet/payments/{payment}/answer", form)).status_code == 303
        assert (await town.hub.desk.payments.find(payment)).state == "captured"


async def test_the_second_is_pushed_what_waits_and_approves_it_and_the_first_is_not(
    tmp_path: Path,
):
    config = changed(config_in(tmp_path), notices=NoticeSettings(allow_networks=["127.0.0.0/8"]))
    with receiving() as hers, receiving() as his:
        async with open_town(tmp_path, clock=HandClock(), config=config) as town:
            credit = {"account": town.accounts["purse"], "units": "90000000", "asset": "USD"}
            await town.made("POST", "/v1/credits", credit, who=LOCAL)
            terms = {"two_above": "10000", "ask_seconds": 600}
            await town.enrol("big", "purse", await town.mandate(**terms))
            ada = Pushed(Asked(town, await Browser(town).joined()), hers)
            bea = Pushed(Asked(town, await another(town)), his)
            for person in (ada, bea):
                await person.subscribe()
                await person.show_amounts()
            payment = await ada.asks(SMALL)
            told = await ada.push_of(payment)
            async with bea.telling():
                await ada.say(told["ticket"], "approve")
                first = await bea.pushed(lambda told: "one of two" in told["body"])
            assert first["subject"] == payment
            assert "20" in first["body"]
            mine = [ada.browser.read(got.body) for got in ada.receiver.got]
            assert [each["subject"] for each in mine].count(payment) == 1
            said = (await bea.say(first["ticket"], "approve")).json()
            assert said["state"] == "captured"
            shown = await town.made("GET", f"/v1/payments/{payment}", who=LOCAL)
            assert [said["means"] for said in shown["answers"]] == ["notice", "notice"]


async def test_wanting_two_narrows_and_one_person_alone_does_not_want_one_again(tmp_path: Path):
    async with editing(tmp_path) as bike:
        form = await bike.form(two_above="1.50")
        shown = (await bike.ada.submit(f"{bike.path}/check", form)).text
        told = re.sub("<[^>]+>", "", shown)
        assert "Two people have to approve above $1.50." in told
        assert "Nobody else may approve here yet" in told
        assert "This allows no more than before" in told
        assert (await bike.ada.submit(f"{bike.path}/set", form)).status_code == 303
        assert (await bike.now())["two_above"] == "1500000"
        await another(bike.town)
        assert "Nobody else may approve" not in (await bike.ada.page(bike.path)).text
        for wider in ("", "1.60"):
            assert (await bike.set(two_above=wider)).status_code == 401
        assert (await bike.set(two_above="1.40")).status_code == 303
        assert (await bike.proven(two_above="")).status_code == 303
        assert (await bike.now())["two_above"] == "1400000"  # It takes two: test_agreeing.py.


async def test_the_preview_says_how_many_two_would_have_been_asked_about(tmp_path: Path):
    async with editing(tmp_path) as bike:
        for amount in (1500, 40_000, 90_000):
            await bike.town.pay(amount, machine="bike")
        form = await bike.form(ask_above="0.03", two_above="0.05")
        told = re.sub("<[^>]+>", "", (await bike.ada.submit(f"{bike.path}/preview", form)).text)
        assert "2 would have been asked about, 1 of them by two people, none refused." in told
