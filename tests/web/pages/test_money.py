"""Money in by a form, once; money out with the passkey; and each state shown as what it is."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from farthing.codec import canonical_json
from farthing.settings import Config
from tests.web.api.town import FUNDS, LOCAL, Town, open_town

from .browser import Browser

HERE = "/wallet/money"


@contextlib.asynccontextmanager
async def visited(folder: Path) -> AsyncIterator[tuple[Town, Browser]]:
    async with open_town(folder) as town:
        yield town, await Browser(town).joined()


def form(town: Town, place: str = "ok", amount: str = "0.25", **more: str) -> dict[str, str]:
    return {
        "account": town.accounts["purse"], "rail": "simulated", "amount": amount, "place": place
    } | more  # fmt: skip


async def shown_once(ada: Browser) -> str:
    found = re.search('name="once" value="([^"]+)"', (await ada.page(HERE)).text)
    assert found
    return found[1]


async def bring_in(town: Town, ada: Browser, place: str = "ok", **more: str) -> int:
    sent = form(town, place, **({"once": await shown_once(ada)} | more))
    status = (await ada.submit(f"{HERE}/in", sent)).status_code
    await town.hub.desk.movements.quiet()
    return status


async def pay_out(town: Town, ada: Browser, *, place: str = "ok", amount: str = "0.25") -> int:
    sent = form(town, place, amount)
    shown = (await ada.submit(f"{HERE}/out/check", sent)).text
    subject = re.search('data-subject="([^"]+)"', shown)
    assert subject, shown
    proof = canonical_json(await ada.prove("pay-out", subject[1])).decode()
    status = (await ada.submit(f"{HERE}/out", sent | {"proof": proof})).status_code
    await town.hub.desk.movements.quiet()
    return status


async def test_money_comes_in_once_however_often_the_form_is_sent(tmp_path: Path):
    async with visited(tmp_path) as (town, ada):
        once = await shown_once(ada)
        for _ in range(3):
            assert await bring_in(town, ada, once=once) == 303
        assert await town.available("purse") == FUNDS + 250_000
        assert await bring_in(town, ada, once=once, amount="0.26") == 409
        assert await bring_in(town, ada) == 303
        assert await town.available("purse") == FUNDS + 500_000
        assert "Arrived" in (await ada.page(HERE)).text


async def test_money_goes_out_with_the_passkey_over_these_very_terms(tmp_path: Path):
    async with visited(tmp_path) as (town, ada):
        sent = form(town)
        assert (await ada.submit(f"{HERE}/out", sent)).status_code == 401
        shown = (await ada.submit(f"{HERE}/out/check", sent)).text
        subject = re.search('data-subject="([^"]+)"', shown)
        assert subject
        proof = canonical_json(await ada.prove("pay-out", subject[1])).decode()
        for other in (form(town, amount="0.5"), form(town, "ok elsewhere")):
            refused = await ada.submit(f"{HERE}/out", other | {"proof": proof})
            assert refused.status_code == 401
        assert await town.available("purse") == FUNDS
        assert (await ada.submit(f"{HERE}/out", sent | {"proof": proof})).status_code == 303
        again = await ada.submit(f"{HERE}/out", sent | {"proof": proof})
        assert again.status_code in (401, 409)
        assert await town.available("purse") == FUNDS - 250_000


async def test_more_than_there_is_does_not_go_out(tmp_path: Path):
    async with visited(tmp_path) as (town, ada):
        assert await pay_out(town, ada, amount="1.000001") == 409
        assert await town.available("purse") == FUNDS


@pytest.mark.parametrize(
    ("place", "arrives", "leaves"),
    [
        ("ok", "Arrived", "Paid out"),
        ("fail", "Declined. Nothing came in.", "Declined. The money is yours again."),
        ("slow", "On its way to you", "On its way out"),
        ("unclear", "Not known yet. It is asked", "Not known yet. It stays on hold"),
    ],
)
async def test_a_movement_is_shown_as_what_is_known_of_it(
    tmp_path: Path, place: str, arrives: str, leaves: str
):
    async with visited(tmp_path) as (town, ada):
        assert await bring_in(town, ada, place) == 303
        assert arrives in (await ada.page(HERE)).text
        assert await pay_out(town, ada, place=place) == 303
        shown = (await ada.page(HERE)).text
        assert leaves in shown
        assert "nothing that moves here is money" in shown


async def test_what_arrived_for_a_frozen_account_is_shown_as_waiting(tmp_path: Path):
    async with visited(tmp_path) as (town, ada):
        await bring_in(town, ada, "slow")
        purse = town.accounts["purse"]
        await town.made("POST", f"/v1/accounts/{purse}/freeze", who=LOCAL)
        [moved] = (await town.made("GET", "/v1/topups", who=LOCAL))["items"]
        for attempt in range(3):
            await town.hub.desk.movements.step(moved["id"], attempt)
        assert "It is booked once your account is open again." in (await ada.page(HERE)).text


@pytest.mark.parametrize(
    "fields",
    [
        {"amount": ""}, {"amount": "0"}, {"amount": "-1"}, {"amount": "1e3"}, {"rail": "other"},
        {"place": "x" * 201}, {"once": ""}, {"amount": "99999999999999999999"},
    ],
)  # fmt: skip
async def test_what_cannot_be_meant_moves_nothing(tmp_path: Path, fields: dict[str, str]):
    async with visited(tmp_path) as (town, ada):
        assert await bring_in(town, ada, **fields) == 400
        assert (await town.made("GET", "/v1/topups", who=LOCAL))["items"] == []


async def test_more_test_money_than_there_may_be_at_once_is_refused(tmp_path: Path):
    async with visited(tmp_path) as (town, ada):
        assert await bring_in(town, ada, amount="1000001") == 409
        body = {"account": town.accounts["purse"], "asset": "USD", "units": "1000000000001"}
        refused = await town.ask("POST", "/v1/topups", body, who=LOCAL)
        assert (refused.status_code, refused.json()["code"]) == (409, "top-up-too-large")
        assert (await town.made("GET", "/v1/topups", who=LOCAL))["items"] == []


async def test_nobody_moves_anothers_money_or_sees_it(tmp_path: Path):
    async with visited(tmp_path) as (town, ada):
        await bring_in(town, ada, "ok from-my-secret-place")
        eve = await Browser(town).joined("seller")
        assert await bring_in(town, eve) == 404
        assert (await eve.submit(f"{HERE}/out/check", form(town))).status_code == 404
        assert "my-secret-place" not in (await eve.page(HERE)).text


async def test_without_a_rail_the_page_says_how_to_try_one(tmp_path: Path):
    async with open_town(tmp_path, config=Config(folder=str(tmp_path))) as town:
        shown = (await (await Browser(town).joined()).page(HERE)).text
        assert "simulated = true" in shown
        assert "<form class" not in shown
