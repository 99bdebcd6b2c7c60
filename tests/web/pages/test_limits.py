"""Limits are set as they were read back; what allows more needs the passkey, and less does not."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from farthing.codec import canonical_json
from tests.web.api.town import LOCAL, Town, open_town

from .browser import Browser

DAY = {"name": "day", "per": "day", "limit": "5000000"}


class Editing:
    """A device with limits, and a person who changes them."""

    def __init__(self, town: Town, ada: Browser, mandate: str) -> None:
        self.town, self.ada, self.mandate = town, ada, mandate
        self.path = f"/wallet/devices/{town.machines['bike'].id}/limits"

    async def form(self, **more: str) -> dict[str, str]:
        """Give the form as the page has it, with some fields typed anew."""
        shown = (await self.ada.page(self.path)).text
        fields = dict(re.findall(r'<input id="[^"]+" name="([^"]+)"[^>]*? value="([^"]*)"', shown))
        revision = re.search(r'name="revision" value="(\d+)"', shown)
        assert revision, shown
        return fields | {"revision": revision[1], "on_timeout": "refuse"} | more

    async def set(self, **more: str) -> Any:
        """Send it."""
        return await self.ada.submit(f"{self.path}/set", await self.form(**more))

    async def proven(self, **more: str) -> Any:
        """Send it, confirmed over what was read back."""
        form = await self.form(**more)
        shown = (await self.ada.submit(f"{self.path}/check", form)).text
        subject = re.search('data-subject="([^"]+)"', shown)
        assert subject, shown
        proof = canonical_json(await self.ada.prove("change-limits", subject[1])).decode()
        return await self.ada.submit(f"{self.path}/set", form | {"proof": proof})

    async def now(self) -> dict[str, Any]:
        """Tell what the mandate is."""
        return await self.town.made("GET", f"/v1/mandates/{self.mandate}", who=LOCAL)


@contextlib.asynccontextmanager
async def editing(folder: Path, **more: Any) -> AsyncIterator[Editing]:
    async with open_town(folder) as town:
        terms: dict[str, Any] = {"largest": "2000000", "budgets": [DAY], "ask_above": "1000000"}
        mandate = await town.mandate(**(terms | more))
        await town.enrol("bike", "purse", mandate)
        yield Editing(town, await Browser(town).joined(), mandate)


async def test_less_is_set_at_once_and_the_page_says_so(tmp_path: Path):
    async with editing(tmp_path) as bike:
        form = await bike.form(**{"budget.0": "4", "largest": "0.50"})
        shown = (await bike.ada.submit(f"{bike.path}/check", form)).text
        assert "This allows no more than before" in shown
        assert "data-proof" not in shown
        assert (await bike.ada.submit(f"{bike.path}/set", form)).status_code == 303
        now = await bike.now()
        assert (now["largest"], now["ask_above"]) == ("500000", "1000000")
        assert [one["limit"] for one in now["budgets"]] == ["4000000"]


async def test_more_needs_the_passkey_over_these_very_terms(tmp_path: Path):
    async with editing(tmp_path) as bike:
        before = await bike.now()
        assert (await bike.set(largest="3")).status_code == 401
        form = await bike.form(largest="3")
        shown = (await bike.ada.submit(f"{bike.path}/check", form)).text
        subject = re.search('data-subject="([^"]+)"', shown)
        assert subject
        proof = canonical_json(await bike.ada.prove("change-limits", subject[1])).decode()
        other = form | {"largest": "300", "proof": proof}
        assert (await bike.ada.submit(f"{bike.path}/set", other)).status_code == 401
        assert await bike.now() == before
        whole = form | {"proof": proof}
        assert (await bike.ada.submit(f"{bike.path}/set", whole)).status_code == 303
        assert (await bike.now())["largest"] == "3000000"
        assert (await bike.ada.submit(f"{bike.path}/set", whole)).status_code == 409


async def test_what_was_changed_meanwhile_is_not_overwritten(tmp_path: Path):
    async with editing(tmp_path) as bike:
        form = await bike.form(largest="1")
        assert (await bike.set(largest="0.25")).status_code == 303
        assert (await bike.ada.submit(f"{bike.path}/set", form)).status_code == 409
        assert (await bike.now())["largest"] == "250000"


async def test_a_limit_is_taken_away_and_another_put_in_its_place(tmp_path: Path):
    async with editing(tmp_path) as bike:
        answer = await bike.proven(**{"budget.0": "", "more": "9", "per": "week"})
        assert answer.status_code == 303
        assert [(one["per"], one["limit"]) for one in (await bike.now())["budgets"]] == [
            ("week", "9000000")
        ]


async def test_payees_kinds_hours_and_a_last_day_are_kept(tmp_path: Path):
    async with editing(tmp_path) as bike:
        shop = bike.town.accounts["shop"]
        await bike.town.pay(1500)  # Who was paid can be chosen by name.
        shown = (await bike.ada.page(bike.path)).text
        assert f'name="payee.{shop}"' in shown
        marked = {f"payee.{shop}": "on"}
        answer = await bike.set(
            categories="power, parking", hours="08:00-18:00", expires="2031-05-31", **marked
        )
        assert answer.status_code == 303
        now = await bike.now()
        assert (now["payees"], now["categories"]) == ([shop], ["power", "parking"])
        assert (now["hours"], now["expires"]) == (["08:00-18:00"], "2031-05-31T23:59:59Z")
        assert (await bike.set(**marked)).status_code == 303
        assert (await bike.now())["expires"] == "2031-05-31T23:59:59Z"
        assert "Only at" in (await bike.ada.page(bike.path)).text


async def test_the_preview_tries_what_is_typed_on_what_was_paid(tmp_path: Path):
    async with editing(tmp_path) as bike:
        credit = {"account": bike.town.accounts["purse"], "units": "900000", "asset": "USD"}
        await bike.town.made("POST", "/v1/credits", credit, who=LOCAL)
        for amount in (1500, 400_000, 900_000):
            await bike.town.pay(amount, machine="bike")
        await bike.town.pay(1500)  # Another device's, under another mandate.
        form = await bike.form(ask_above="0.30", largest="0.50")
        shown = (await bike.ada.submit(f"{bike.path}/preview", form)).text
        told = re.sub("<[^>]+>", "", shown)
        assert "Of 3 payments in the last 30 days 1 would have been asked about, 1 refused." in told
        assert "Asks you above $0.30." in told


async def test_who_else_is_under_the_same_limits_is_named(tmp_path: Path):
    async with editing(tmp_path) as bike:
        await bike.town.enrol("trike", "purse", bike.mandate)
        assert "The same limits hold for trike." in (await bike.ada.page(bike.path)).text


@pytest.mark.parametrize(
    "fields",
    [
        {"largest": "a lot"}, {"largest": "-1"}, {"ask_above": "1e3"}, {"hours": "8-18"},
        {"expires": "31.5.2031"}, {"expires": "2020-01-01"}, {"categories": "x" * 401},
        {"more": "1", "per": "day"}, {"more": "1", "per": "1s"}, {"payee.shop": "on"},
    ],
)  # fmt: skip
async def test_what_cannot_be_meant_changes_nothing(tmp_path: Path, fields: dict[str, str]):
    async with editing(tmp_path) as bike:
        before = await bike.now()
        assert (await bike.set(**fields)).status_code == 400
        assert await bike.now() == before


async def test_nobody_changes_anothers_limits(tmp_path: Path):
    async with editing(tmp_path) as bike:
        form = await bike.form(largest="0.01")
        eve = await Browser(bike.town).joined("seller")
        assert (await eve.page(bike.path)).status_code == 404
        for what in ("preview", "check", "set"):
            assert (await eve.submit(f"{bike.path}/{what}", form)).status_code == 404
        assert (await bike.now())["largest"] == "2000000"


async def test_a_german_thousand_is_never_read_as_one(tmp_path: Path):
    async with editing(tmp_path) as bike:
        for typed, status in (("1.000", 400), ("1.000,50", 400), ("0,50", 303), ("0.25", 303)):
            form = await bike.form(largest=typed)
            answer = await bike.ada.submit(f"{bike.path}/set", form, **{"accept-language": "de"})
            assert answer.status_code == status, typed
        assert (await bike.now())["largest"] == "250000"
