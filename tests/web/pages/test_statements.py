"""Statements agree with the balance to the unit, on the page and as a file."""

import contextlib
import csv
import html
import io
import re
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from farthing.clock import NS
from farthing.services import statements as reckoning
from farthing.web.pages import statements
from tests.web.api.test_fees import taking
from tests.web.api.town import LOCAL, Town, open_town

from .browser import Browser


@contextlib.asynccontextmanager
async def selling(folder: Path) -> AsyncGenerator[tuple[Town, Browser]]:
    """Sell for a while, with fees, a refund, money in and money out."""
    async with taking(folder) as town:
        seller = await Browser(town).joined("seller")
        for amount in (1500, 2500, 30_000):
            paid = await town.pay(amount)
        body = {"units": "15000"}
        await town.made("POST", f"/v1/payments/{paid['id']}/refunds", body, who="seller.seller")
        held = await town.hold(700)
        await town.hold(900)  # Held still: no part of it.
        capture = f"/v1/payments/{held['payment']}/capture"
        await town.made("POST", capture, {"units": "650"}, who="seller.seller")
        moving = {"account": town.accounts["shop"], "asset": "USD", "rail": "simulated"}
        for way, units, place in (
            ("payouts", "9000", "ok"), ("topups", "40", "ok"), ("payouts", "70", "fail"),
        ):  # fmt: skip
            told = moving | {"units": units, "place": place}
            await town.made("POST", f"/v1/{way}", told, who="seller.owner")
        yield town, seller


def today() -> str:
    return str(datetime.now(UTC).date())


async def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    return list(csv.DictReader(io.StringIO(answer.text)))


def lines_of(shown: str) -> dict[str, str]:
    """Read the paper's lines."""
    found = re.findall(r'<th scope="row">(.*?)</th><td class="figure">(.*?)</td>', shown)
    return {
        re.sub(r"<span.*?</span>|<[^>]+>", "", name).strip(): html.unescape(
            re.sub("<[^>]+>", "", amount)
        )
        for name, amount in found
    }


async def test_what_came_and_went_is_added_up_and_agrees_with_the_balance(tmp_path: Path):
    async with selling(tmp_path) as (town, seller):
        shown = lines_of((await seller.page("/shop/statements")).text)
        fees = [35, 55, 605, 18]
        assert shown == {
            "Opening balance": "$0.00",
            "Sales": "+$0.03465",
            "Fees": f"\u2212$0.000{sum(fees)}",
            "Refunds": "\u2212$0.015",
            "Fees given back": "+$0.000302",
            "Top-ups": "+$0.00004",
            "Payouts": "\u2212$0.009",
            "Closing balance": shown["Closing balance"],
        }
        held = await town.available("shop")
        assert 34_650 - sum(fees) - 15_000 + 302 + 40 - 9_000 == held
        assert shown["Closing balance"] == f"$0.0{held}"


async def test_the_file_has_each_posting_with_the_balance_after_it(tmp_path: Path):
    async with selling(tmp_path) as (town, seller):
        rows = await rows_of(await seller.page("/shop/statements.csv"))
        assert [row["what"] for row in (rows[0], rows[-1])] == ["opening", "closing"]
        balance = 0
        for row in rows[1:-1]:
            balance += int(row["amount"].replace(".", ""))
            assert row["balance"] == f"0.{balance:06d}"
        assert rows[-1]["balance"] == f"0.{await town.available('shop'):06d}"
        abouts = {row["about"][:4] for row in rows[1:-1]}
        assert abouts == {"pay_", "top_", "out_"}
        assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)


async def test_a_period_holds_what_lies_in_it_and_the_next_begins_where_it_ends(tmp_path: Path):
    at = [datetime(2026, 3, 14, 12, tzinfo=UTC)]
    async with open_town(tmp_path, clock=lambda: int(at[0].timestamp()) * NS) as town:
        seller = await Browser(town).joined("seller")
        for day, amount in ((14, 100), (15, 20), (16, 3)):
            at[0] = datetime(2026, 3, day, 12, tzinfo=UTC)
            await town.pay(amount)
        edges = list[tuple[str, str, int]]()
        for day in (13, 14, 15, 16, 17):
            asked = f"first=2026-03-{day}&last=2026-03-{day}"
            rows = await rows_of(await seller.page(f"/shop/statements.csv?{asked}"))
            edges.append((rows[0]["balance"], rows[-1]["balance"], len(rows) - 2))
        assert edges == [
            ("0.000000", "0.000000", 0), ("0.000000", "0.000100", 1), ("0.000100", "0.000120", 1),
            ("0.000120", "0.000123", 1), ("0.000123", "0.000123", 0),
        ]  # fmt: skip
        shown = (await seller.page("/shop/statements?first=2026-03-17&last=2026-03-17")).text
        assert "Nothing moved in these days." in shown


async def test_days_begin_at_midnight_where_the_owner_is(tmp_path: Path):
    late = datetime(2026, 3, 14, 23, 30, tzinfo=UTC)  # The fifteenth in Berlin.
    async with open_town(tmp_path, clock=lambda: int(late.timestamp()) * NS) as town:
        body = {"name": "Berlin", "time_zone": "Europe/Berlin"}
        town.owners["berlin"] = (await town.made("POST", "/v1/owners", body, who=LOCAL))["id"]
        account = {"asset": "USD", "owner": town.owners["berlin"], "name": "Kasse"}
        town.accounts["kasse"] = (await town.made("POST", "/v1/accounts", account, who=LOCAL))["id"]
        await town.pay(77, payee="kasse")
        seller = await Browser(town).joined("berlin")
        shown = (await seller.page("/shop/statements?first=2026-03-15&last=2026-03-15")).text
        assert lines_of(shown)["Sales"] == "+$0.000077"
        assert "midnight in Europe/Berlin" in shown
        before = (await seller.page("/shop/statements?first=2026-03-14&last=2026-03-14")).text
        assert "Sales" not in lines_of(before)


async def test_a_statement_is_of_ones_own_accounts_and_of_days_that_there_are(tmp_path: Path):
    async with open_town(tmp_path) as town:
        seller = await Browser(town).joined("seller")
        for path in ("/shop/statements", "/shop/statements.csv"):
            foreign = await seller.page(f"{path}?account={town.accounts['purse']}")
            assert foreign.status_code == 404
            for days in (
                "first=2026-13-01", "last=20260101", "first=1969-01-01", "first=2026-1-1",
                "first=2026-02-02&last=2026-02-01", "last=9999-01-01", "first=x",
            ):  # fmt: skip
                assert (await seller.page(f"{path}?{days}")).status_code == 400, days


async def test_long_accounts_are_read_a_little_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with open_town(tmp_path) as town:
        seller = await Browser(town).joined("seller")
        for amount in range(1, 8):
            await town.pay(amount)
        monkeypatch.setattr(reckoning, "SLICE", 2)
        whole: list[Any] = await rows_of(await seller.page("/shop/statements.csv"))
        assert [row["amount"][-1] for row in whole[1:-1]] == list("1234567")
        monkeypatch.setattr(statements, "CSV_ROWS_MAX", 6)
        answer = await seller.page("/shop/statements.csv")
        assert (answer.status_code, "Ask for fewer" in answer.text) == (400, True)
