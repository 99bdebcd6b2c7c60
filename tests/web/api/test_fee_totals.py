"""What fees came to, asked over the API: by period, for whom, page by page, on both engines."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from farthing.clock import parse_time
from farthing.settings import BooksSettings, FeeSettings
from farthing.testing.worlds import HandClock

from .test_bad_payments import problem
from .town import LOCAL, Town, changed, config_in, open_town

MIDNIGHT = parse_time("2027-01-16T00:00:00Z")
FIRST, SECOND = "2027-01-16T00:00:00Z", "2027-01-17T00:00:00Z"


@contextlib.asynccontextmanager
async def two_days(folder: Path, books: BooksSettings) -> AsyncIterator[Town]:
    """Open a hub that has taken fees on two days: of its own, and of an offer for the seller."""
    config, clock = changed(config_in(folder), books=books), HandClock(MIDNIGHT * 10**9)
    async with open_town(folder, config=config, clock=clock) as town:
        body = {"asset": "USD", "owner": town.owners["buyer"], "name": "fees"}
        till = (await town.made("POST", "/v1/accounts", body, who=LOCAL))["id"]
        keys = {f"taker.{scope}": town.keys[f"buyer.{scope}"] for scope in ("owner", "read")}
    fees = {"USD": FeeSettings(account=till, ppm=20_000)}
    async with open_town(folder, config=changed(config, fees=fees), clock=clock) as town:
        town.accounts["till"] = till
        town.keys |= keys  # This time's owners are others.
        await _live(town, clock)
        yield town


async def _live(town: Town, clock: HandClock) -> None:
    await town.pay(1000)
    paid = await town.pay(2000)
    share = {"asset": "USD", "owner": town.owners["seller"], "name": "share"}
    town.accounts["share"] = (await town.made("POST", "/v1/accounts", share, who=LOCAL))["id"]
    wanted = {"payee": town.accounts["shop"], "path": "/x", "asset": "USD", "amount": "1500"}
    fee = {"account": town.accounts["share"], "ppm": 100_000}
    offer = await town.made("POST", "/v1/offers", wanted | {"fee": fee}, who="seller.owner")
    town.accounts["offer"] = offer["id"]
    clock.move(86_400)
    body = town.payment(1500) | {"offer": offer["id"], "capture": True}
    await town.made("POST", "/v1/payments/authorise", body, who="seller.seller")
    back = {"units": "1000"}
    await town.made("POST", f"/v1/payments/{paid['id']}/refunds", back, who="seller.seller")
    clock.move(60)


def row(since: str, of: str, account: str, taken: str, returned: str, payments: int) -> Any:
    """Write what is shown of a period."""
    return {
        "since": since, "of": of, "account": account, "asset": "USD",
        "taken": taken, "returned": returned, "payments": payments,
    }  # fmt: skip


async def test_the_operator_sees_each_fee_of_each_day_and_owners_what_they_were_given(
    tmp_path: Path, books_settings: BooksSettings
):
    async with two_days(tmp_path, books_settings) as town:
        till, share, offer = (town.accounts[name] for name in ("till", "share", "offer"))
        all_of_it = [
            row(SECOND, offer, share, "150", "0", 1),
            row(SECOND, "hub", till, "30", "20", 1),
            row(FIRST, "hub", till, "60", "0", 2),
        ]

        async def told(who: str, query: str = "") -> Any:
            return (await town.made("GET", f"/v1/fees{query}", who=who))["items"]

        assert await told("operator") == all_of_it
        assert await told("taker.read") == all_of_it[1:]
        assert await told("seller.seller") == all_of_it[:1]
        assert await told("operator", f"?until={SECOND}") == all_of_it[2:]
        assert await told("operator", f"?since={SECOND}") == all_of_it[:2]
        [whole] = await told("taker.owner", f"?per=all&since={FIRST}")
        assert whole == row(FIRST, "hub", till, "90", "20", 3)
        assert len(await told("operator", "?per=hour&limit=500")) == 3
        assert await town.available("till") == 70, "the account has what is told of it"


async def test_pages_show_each_total_once(tmp_path: Path, books_settings: BooksSettings):
    async with two_days(tmp_path, books_settings) as town:
        for per, count in (("day", 3), ("all", 2)):
            found: list[Any] = []
            query = f"?per={per}&limit=1"
            for _ in range(count + 1):
                page = await town.made("GET", f"/v1/fees{query}", who="operator")
                found += page["items"]
                if page["next"] is None:
                    break
                town.clock.move(1)
                query = f"?per={per}&limit=1&cursor={page['next']}"
            whole = await town.made("GET", f"/v1/fees?per={per}", who="operator")
            assert [(f["of"], f["taken"]) for f in found] == [
                (f["of"], f["taken"]) for f in whole["items"]
            ]
            assert len(found) == count


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("per=week", "invalid-filter"),
        ("since=yesterday", "malformed-time"),
        ("since=2027-01-02T00:00:00Z&until=2027-01-01T00:00:00Z", "invalid-filter"),
        ("since=2025-01-01T00:00:00Z&until=2027-01-01T00:00:00Z", "invalid-filter"),
        ("cursor=AAAA", "invalid-cursor"),
        ("cursor=MSBodWIgYWNjX3g", "invalid-cursor"),
        ("cursor=LTEgaHViIGFjY18wMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMA", "invalid-cursor"),
    ],
)
async def test_what_cannot_be_added_up_is_refused(tmp_path: Path, query: str, code: str):
    async with open_town(tmp_path) as town:
        assert problem(await town.ask("GET", f"/v1/fees?{query}", who="operator")) == (400, code)
