"""What is metered, end to end: a real hub, a real server, and the device's own client."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from farthing.web.paywall import Paywall
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
        assert "client.session" in asked.json()["hint"]
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
@pytest.mark.rule("session.close", on="middleware")
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


@pytest.mark.rule("session.spent", on="middleware")
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


async def test_machines_find_what_is_metered_and_by_what(tmp_path: Path):
    async with metered_shop(tmp_path, Counter(status=404)) as (_, url), httpx.AsyncClient() as http:
        document = (await http.get(url + "/openapi.json")).json()
        [offer] = document["paths"]["/readings"]["get"]["x-payment-info"]["offers"]
        assert (offer["intent"], offer["method"], offer["amount"]) == ("session", "farthing", "2")
        assert offer["description"] == "0.000003 USD for every 2 of request, by a session"
        told = (await http.get(url + "/llms.txt")).text
        assert "/readings, 0.000003 USD for every 2 of request, by a session" in told


async def test_a_price_beside_an_endpoint_can_be_metered(tmp_path: Path):
    async def readings(_: Any) -> PlainTextResponse:
        return PlainTextResponse("sunny")

    def tagged(wall: Paywall) -> Starlette:
        endpoint = wall.price("0.000003 USD", per="request", every=2)(readings)
        return Starlette(routes=[Route("/readings", endpoint)])

    async def later(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    async with metered_shop(tmp_path, later, prices="") as (shop, url), shop.client() as client:
        shop.paywall._desk.realm, shop.paywall._desk.payee = (
            "shop.example",
            shop.town.accounts["shop"],
        )
        app = tagged(shop.paywall)
        shop.paywall.wrap(app)
        async with client.session(url, deposit="0.0005 USD") as bought:
            for _ in range(3):
                assert (await bought.get("/readings")).text == "sunny"
            session = bought.session
        assert (await shop.session(session))["captured"] == "5"
        unpaid = await client.get(url + "/readings")
        assert unpaid.status_code == 402


@pytest.mark.rule("session.spent", on="middleware")
async def test_one_key_is_answered_once_and_counted_once(tmp_path: Path):
    handler = Counter(seconds=0.1)
    async with (
        metered_shop(tmp_path, handler) as (shop, url),
        shop.client() as client,
        client.session(url, deposit="0.0005 USD", ahead="0.0001 USD") as bought,
    ):
        await bought.get("/readings")
        fields = {"idempotency-key": "one"}
        asked = (bought.post("/readings", headers=fields) for _ in range(4))
        answers = await asyncio.gather(*asked)
        again = await bought.post("/readings", headers=fields)
        assert {answer.content for answer in (*answers, again)} == {b"goods"}
        assert handler.runs == 2
        other = await bought.post("/readings?other", headers=fields)
        assert (other.status_code, other.json()["code"]) == (409, "idempotency-key-reused")
        await bought.post("/readings", headers={"idempotency-key": "two"})
        meter = shop.metering.find(bought.session)
        assert meter is not None and meter.count == handler.runs == 3


async def test_a_failed_answer_is_asked_for_anew_and_a_long_one_is_not_given_twice(tmp_path: Path):
    handler = Counter(status=500)
    async with metered_shop(tmp_path, handler) as (shop, url), shop.client() as client:
        bought = client.session(url, deposit="0.0005 USD")
        fields = {"idempotency-key": "one"}
        for _ in range(2):
            assert (await bought.get("/readings", headers=fields)).status_code == 500
        assert handler.runs == 2
        handler.status, handler.body = 200, bytes(300_000)
        assert len((await bought.get("/readings", headers=fields)).content) == 300_000
        again = await bought.get("/readings", headers=fields)
        assert (again.status_code, again.json()["code"]) == (409, "already-paid")
        meter = shop.metering.find(bought.session)
        assert meter is not None and meter.count == 1 and handler.runs == 3
