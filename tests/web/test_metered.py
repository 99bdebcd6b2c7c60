"""What is metered, end to end: a real hub, a real server, and the device's own client."""

import asyncio
from pathlib import Path

import pytest

from tests.web.metered_shop import metered_shop
from tests.web.shop import Counter


async def test_a_device_buys_by_the_request_and_pays_what_it_used(tmp_path: Path):
    handler = Counter()
    async with metered_shop(tmp_path, handler) as (shop, url), shop.client() as client:
        async with client.session(url, deposit="0.0005 USD") as bought:
            for _ in range(5):
                answer = await bought.get("/readings")
                assert (answer.status_code, answer.content) == (200, b"goods")
            assert answer.headers["farthing-session"].startswith(f'session="{bought.session}"')
            assert (bought.state["count"], bought.state["owed"]) == ("5", "8")
            session = bought.session
        closed = await shop.session(session)
        assert (closed["state"], closed["captured"], closed["deposit"]) == ("closed", "8", "500")
        assert handler.runs == 5
        assert await shop.town.available("shop") == 8
        seen = handler.seen
        assert (seen["farthing-session"], seen["farthing-payer"]) == (
            session,
            shop.town.machines["meter"].id,
        )
        assert "farthing-voucher" not in seen


async def test_a_route_that_is_metered_asks_for_a_session(tmp_path: Path):
    handler = Counter()
    async with metered_shop(tmp_path, handler) as (shop, url), shop.client() as client:
        asked = await client.get(url + "/readings")
        assert (asked.status_code, asked.json()["code"]) == (402, "payment-required")
        challenge = asked.headers["www-authenticate"]
        assert 'intent="session"' in challenge and 'method="farthing"' in challenge
        assert handler.runs == 0


async def test_requests_side_by_side_are_each_counted_once(tmp_path: Path):
    handler = Counter(seconds=0.05)
    async with metered_shop(tmp_path, handler) as (shop, url), shop.client() as client:
        async with client.session(url, deposit="0.0005 USD") as bought:
            await bought.get("/readings")
            answers = await asyncio.gather(*(bought.get("/readings") for _ in range(3)))
            assert [answer.status_code for answer in answers] == [200] * 3
            session = bought.session
        assert (await shop.session(session))["captured"] == "6"


@pytest.mark.parametrize("status", [404, 500])
async def test_an_answer_that_fails_costs_nothing(tmp_path: Path, status: int):
    handler = Counter(status=status)
    async with metered_shop(tmp_path, handler) as (shop, url), shop.client() as client:
        async with client.session(url, deposit="0.0005 USD") as bought:
            answer = await bought.get("/readings")
            assert answer.status_code == status
            assert bought.state["count"] == "0"
            session = bought.session
        assert (await shop.session(session))["captured"] == "0"


async def test_a_device_that_comes_back_goes_on_with_its_session(tmp_path: Path):
    handler = Counter()
    async with metered_shop(tmp_path, handler) as (shop, url), shop.client() as client:
        first = client.session(url, deposit="0.0005 USD")
        await first.get("/readings")
        await first.get("/readings")
        again = client.session(url, deposit="0.0005 USD")
        assert (await again.get("/readings")).status_code == 200
        assert (again.session, again.state["count"]) == (first.session, "3")


async def test_a_seller_that_was_killed_goes_on_where_it_was(tmp_path: Path):
    handler = Counter()
    async with metered_shop(tmp_path, handler) as (shop, url), shop.client() as client:
        async with client.session(url, deposit="0.0005 USD") as bought:
            for round_ in range(1, 4):
                await bought.get("/readings")
                await shop.restart()
                meter = shop.metering.find(bought.session)
                assert meter is not None and meter.count == round_
            session = bought.session
        assert (await shop.session(session))["captured"] == "5"
