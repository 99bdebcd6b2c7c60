"""By the second, by bytes and by a handler's own count: what leaves is promised, and counted."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from farthing.device.outcomes import WillNotPay
from tests.web.metered_shop import metered_shop

PRICES = """
[seller]
realm = "shop.example"
payee = "PAYEE"

[[offer]]
path = "/{kind}"
price = "PRICE USD"
per = "PER"
every = EVERY
"""


def prices(per: str, price: str = "0.000001", every: int = 1, more: str = "") -> str:
    written = PRICES.replace("PRICE", price).replace("PER", per).replace("EVERY", str(every))
    return written + more


class Stream:
    """A handler that sends parts with pauses, and can count as it goes."""

    def __init__(self, parts: list[bytes], *, seconds: float = 0, events: bool = False) -> None:
        self.parts, self.seconds, self.events, self.sent = parts, seconds, events, 0
        self.counts, self.told = False, ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        kind = b"text/event-stream" if self.events else b"application/octet-stream"
        headers = [(b"content-type", kind)]
        if self.told:
            headers.append((b"farthing-count", self.told.encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for part in self.parts:
            if self.counts:
                await scope["farthing.count"](1)
            await send({"type": "http.response.body", "body": part, "more_body": True})
            self.sent += 1
            await asyncio.sleep(self.seconds)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def test_bytes_are_counted_as_they_leave_and_wait_for_vouchers(tmp_path: Path):
    handler = Stream([bytes(100_000)] * 5)
    written = prices("byte", every=1000)  # A unit for 1000 bytes: 500 in all.
    async with metered_shop(tmp_path, handler, written) as (shop, url), shop.client() as client:
        async with client.session(url, "0.0006 USD", ahead="0.0001 USD") as bought:
            async with bought.stream("GET", "/film") as answer:
                body = [part async for part in answer.aiter_bytes()]
            session = bought.session
        assert sum(map(len, body)) == 500_000
        assert (await shop.session(session))["captured"] == "500"


async def test_an_answer_ends_where_no_more_is_promised(tmp_path: Path):
    handler = Stream([bytes(50_000)] * 10)
    written = prices("byte", every=1000)
    async with (
        metered_shop(tmp_path, handler, written, wait_seconds=0.2) as (shop, url),
        shop.client() as client,
    ):
        bought = client.session(url, "0.0002 USD", ahead="0.0002 USD")
        received = 0
        with contextlib.suppress(httpx.RemoteProtocolError):
            async with bought.stream("GET", "/film") as answer:
                async for part in answer.aiter_bytes():
                    received += len(part)
        meter = shop.metering.find(bought.session)
        assert meter is not None
        assert received == meter.count == 200_000
        assert handler.sent < 10


async def test_seconds_of_all_answers_add_up_and_parts_are_given_back(tmp_path: Path):
    handler = Stream([b"x"] * 3, seconds=0.2)
    async with (
        metered_shop(tmp_path, handler, prices("second")) as (shop, url),
        shop.client() as client,
    ):
        async with client.session(url, "0.0006 USD", ahead="0.000005 USD") as bought:
            for _ in range(3):
                assert (await bought.get("/minutes")).content == b"xxx"
            meter = shop.metering.find(bought.session)
            assert meter is not None
            used = meter.count + meter.part / 1e9
            session = bought.session
        assert 1.8 <= used < 2.6, used
        assert int((await shop.session(session))["captured"]) == int(used)


async def test_what_streams_is_promised_as_it_goes_and_its_end_is_known(tmp_path: Path):
    handler = Stream([b"x"] * 22, seconds=0.1)
    async with (
        metered_shop(tmp_path, handler, prices("second")) as (shop, url),
        shop.client() as client,
    ):
        async with client.session(url, "0.0006 USD") as bought:
            assert (await bought.get("/film")).content == b"x" * 22
            session = bought.session
        assert bought.state["captured"] == (await shop.session(session))["captured"]
        assert int(bought.state["captured"]) >= 2


async def test_a_second_is_bought_before_it_begins(tmp_path: Path):
    handler = Stream([b"x"] * 30, seconds=0.1)
    async with (
        metered_shop(tmp_path, handler, prices("second"), wait_seconds=0.1) as (shop, url),
        shop.client() as client,
    ):
        bought = client.session(url, "0.000001 USD")
        with contextlib.suppress(httpx.RemoteProtocolError):
            await bought.get("/minutes")
        meter = shop.metering.find(bought.session)
    assert meter is not None and (meter.count, meter.units) == (1, 1)
    assert handler.sent <= 12


async def test_a_handler_says_how_much_it_was(tmp_path: Path):
    handler = Stream([b"x"])
    handler.told = "37"
    written = prices("token", more="reserve = 40\n")
    async with metered_shop(tmp_path, handler, written) as (shop, url), shop.client() as client:
        async with client.session(url, "0.0006 USD") as bought:
            answer = await bought.get("/chat")
            assert answer.content == b"x" and "farthing-count" not in answer.headers
            assert (bought.state["count"], bought.state["promised"]) == ("37", "40")
            session = bought.session
        assert (await shop.session(session))["captured"] == "37"


async def test_a_count_that_is_more_than_was_promised_is_not_handed_out(tmp_path: Path):
    handler = Stream([b"secret"])
    handler.told = "41"
    written = prices("token", more="reserve = 40\n")
    async with metered_shop(tmp_path, handler, written) as (shop, url), shop.client() as client:
        bought = client.session(url, "0.0006 USD")
        answer = await bought.get("/chat")
        assert (answer.status_code, answer.json()["code"]) == (409, "voucher-needed")
        assert answer.json()["needed"] == "41" and "secret" not in answer.text
        meter = shop.metering.find(bought.session)
        assert meter is not None and meter.count == 0


@pytest.mark.rule("session.stop", on="middleware")
async def test_a_handler_counts_as_it_goes_and_events_say_what_is_needed(tmp_path: Path):
    handler = Stream([b"data: word\n\n"] * 6, events=True)
    handler.counts = True
    async with (
        metered_shop(tmp_path, handler, prices("token")) as (shop, url),
        shop.client() as client,
    ):
        bought = client.session(url, "0.000005 USD")
        needed: list[dict[str, Any]] = []
        receipts: list[dict[str, Any]] = []
        words = 0
        with contextlib.suppress(httpx.RemoteProtocolError):
            async with bought.stream("GET", "/chat") as answer:
                async for name, told in events(answer):
                    if name == "payment-need-voucher":
                        needed.append(told)
                        if int(told["requiredCumulative"]) <= 5:
                            await bought.promise(int(told["requiredCumulative"]))
                        else:
                            break
                    elif name == "payment-receipt":
                        receipts.append(told)
                    else:
                        words += 1
        meter = shop.metering.find(bought.session)
    assert words == 5 and not receipts
    assert [told["requiredCumulative"] for told in needed] == ["2", "3", "4", "5", "6"]
    assert needed[-1]["session"] == bought.session
    assert (needed[-1]["acceptedCumulative"], needed[-1]["deposit"]) == ("5", "5")
    assert meter is not None and meter.count == 5


async def test_an_event_stream_ends_with_its_receipt(tmp_path: Path):
    handler = Stream([b"data: word\n\n"] * 6, events=True)
    handler.counts = True
    async with (
        metered_shop(tmp_path, handler, prices("token")) as (shop, url),
        shop.client() as client,
    ):
        async with client.session(url, "0.0001 USD", ahead="0.00001 USD") as bought:
            async with bought.stream("GET", "/chat") as answer:
                told = [each async for each in events(answer)]
            session = bought.session
        name, receipt = told[-1]
        assert name == "payment-receipt" and len(told) == 7
        assert (receipt["reference"], receipt["spent"], receipt["status"]) == (
            session,
            "6",
            "success",
        )


async def events(answer: httpx.Response) -> Any:
    name = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        if line.startswith("data: "):
            text = line.removeprefix("data: ")
            yield name, json.loads(text) if name else text
            name = ""


async def test_a_seller_that_asks_for_more_than_the_tariff_says_gets_nothing(tmp_path: Path):
    """The client counts its own requests, so a lie of the seller's about the count is seen."""
    handler = Stream([b"x"])
    async with (
        metered_shop(tmp_path, handler, prices("request")) as (shop, url),
        shop.client() as client,
    ):
        bought = client.session(url, "0.0005 USD")
        await bought.get("/a")
        await shop.metering.use(bought.session, 100)
        with pytest.raises(WillNotPay) as caught:
            await bought.get("/a")
        assert caught.value.code == "above-limit"
