"""Ticks at a metered route, end to end: a real hub, a real server, a real disk, a device."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from farthing.codec import from_base64url, to_base64url
from farthing.core.vouchers import read_voucher
from farthing.device.metered import MeteredSession
from tests.web.metered_shop import PRICES, MeteredShop, metered_shop
from tests.web.shop import Counter
from tests.web.test_metered_socket import Feed, buying

STEP = "0.000002 USD"


def sent(shop: MeteredShop) -> list[str]:
    """Say by letters what each request carried: a voucher, a tick, both or nothing."""
    fields = [request.headers for request in shop.ways.sent]
    return [
        "".join(name[9] for name in ("farthing-voucher", "farthing-tick") if name in one)
        for one in fields
    ]


async def test_a_device_signs_once_and_pays_every_request_by_a_tick(tmp_path: Path):
    handler = Counter()
    async with metered_shop(tmp_path, handler) as (shop, url), shop.client() as client:
        async with client.session(url, deposit="0.0005 USD", tick=STEP) as bought:
            for _ in range(5):
                assert (await bought.get("/readings")).content == b"goods"
            assert (bought.state["count"], bought.state["promised"]) == ("5", "8")
            session = bought.session
        assert sent(shop) == ["", "vt", "t", "t", "t", "t", "t"]
        vouchers = {request.headers.get("farthing-voucher") for request in shop.ways.sent}
        assert len(vouchers - {None}) == 1
        closed = await shop.session(session)
        assert (closed["captured"], closed["promised"], closed["ticks"]) == ("8", "8", "4")
        assert (handler.runs, "farthing-tick" in handler.seen) == (5, False)


async def test_a_seller_that_was_killed_goes_on_from_the_tick_that_it_kept(tmp_path: Path):
    async with metered_shop(tmp_path, Counter()) as (shop, url), shop.client() as client:
        async with client.session(url, deposit="0.0005 USD", tick=STEP) as bought:
            for _ in range(3):
                await bought.get("/readings")
            await shop.restart()
            await bought.get("/readings")
            session = bought.session
        assert sent(shop)[2:] == ["t", "t", "t", "t"]
        assert (await shop.session(session))["captured"] == "6"


async def test_a_seller_that_lost_its_meters_is_shown_the_voucher_again(tmp_path: Path):
    async with metered_shop(tmp_path, Counter()) as (shop, url), shop.client() as client:
        async with client.session(url, deposit="0.0005 USD", tick=STEP) as bought:
            await bought.get("/readings")
            shop.folder = tmp_path / "another"
            shop.folder.mkdir()
            await shop.restart()
            assert (await bought.get("/readings")).status_code == 200
        assert sent(shop)[:4] == ["", "vt", "t", "vt"]


async def test_a_device_that_was_killed_goes_on_with_its_ladder(tmp_path: Path):
    async with metered_shop(tmp_path, Counter()) as (shop, url), shop.client() as client:
        first = client.session(url, deposit="0.0005 USD", tick=STEP)
        for _ in range(3):
            await first.get("/readings")
        async with client.session(url, deposit="0.0005 USD", tick=STEP) as again:
            assert (await again.get("/readings")).status_code == 200
            assert again.session == first.session
            assert again.state["promised"] == "6"
        vouchers = {request.headers.get("farthing-voucher") for request in shop.ways.sent}
        assert len(vouchers - {None}) == 1  # Signed once, before it was killed.


async def a_tick_ahead(bought: MeteredSession, units: int) -> tuple[str, str, str]:
    """Give session, voucher and tick as texts."""
    shown = bought._sessions.climb(bought.session, units, 2)
    return bought.session, to_base64url(shown.voucher), to_base64url(shown.tick)


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"farthing-tick": "ses {tick}"}, 400, "malformed-tick"),
        ({"farthing-tick": "{session} {voucher}"}, 400, "malformed-tick"),
        ({"farthing-tick": "{session} AAAA"}, 400, "malformed-tick"),
        ({"farthing-tick": "{session} {wrong}"}, 402, "bad-tick"),
        ({"farthing-tick": "{other} {tick}"}, 402, "bad-tick"),
        (
            {"farthing-tick": "{other} {tick}", "farthing-voucher": "{session} {voucher}"},
            400,
            "malformed-tick",
        ),
        ({"farthing-voucher": "{session} {voucher}"}, 402, "voucher-superseded"),
        ({"farthing-tick": "{session} {tick}"}, 200, None),
        ({"farthing-tick": "{session} {tick} close"}, 204, None),
    ],
)
async def test_what_a_seller_says_to_a_tick(
    tmp_path: Path, fields: dict[str, str], status: int, code: str | None
):
    async with metered_shop(tmp_path, Counter()) as (shop, url), shop.client() as client:
        bought = client.session(url, deposit="0.0005 USD", tick=STEP)
        await bought.get("/readings")
        session, voucher, tick = await a_tick_ahead(bought, 50)
        raw = from_base64url(tick)
        wrong = to_base64url(raw[:-1] + bytes([raw[-1] ^ 1]))
        known = {"session": session, "voucher": voucher, "tick": tick, "wrong": wrong}
        known["other"] = "ses_" + "0" * 26
        async with httpx.AsyncClient(base_url=url) as http:
            shown = {name: value.format(**known) for name, value in fields.items()}
            answer = await http.get("/readings", headers=shown)
        assert answer.status_code == status
        assert answer.content == b"" or answer.status_code == 200 or answer.json()["code"] == code


async def test_a_stream_goes_on_by_ticks_in_mpps_words_too(tmp_path: Path):
    async with metered_shop(tmp_path, Counter()) as (shop, url), shop.client() as client:
        bought = client.session(url, deposit="0.0005 USD", tick=STEP)
        asked = await bought.get("/readings")
        assert asked.status_code == 200
        async with httpx.AsyncClient(base_url=url) as http:
            refused = await http.get("/readings")
            words = refused.headers["www-authenticate"].removeprefix("Payment ").split(", ")
            challenge = {
                name: value.strip('"') for name, value in (word.split("=", 1) for word in words)
            }
            session, _, tick = await a_tick_ahead(bought, 20)
            told: dict[str, Any] = {}
            for action in ("voucher", "close"):
                payload = {"action": action, "session": session, "tick": tick}
                said = json.dumps({"challenge": challenge, "payload": payload}).encode()
                field = f"Payment {to_base64url(said)}"
                answer = await http.get("/readings", headers={"authorization": field})
                told[action] = (
                    answer.status_code,
                    json.loads(from_base64url(answer.headers["payment-receipt"])),
                )
        assert told["voucher"][0] == 200
        assert (told["close"][0], told["close"][1]["acceptedCumulative"]) == (204, "20")
        assert (await shop.session(session))["captured"] == "3"


async def test_a_socket_takes_ticks_as_messages(tmp_path: Path):
    async with buying(tmp_path, Feed(10), PRICES) as (shop, buyer):
        await buyer.open(3)
        words = [(await buyer.told())[0] for _ in range(3)]
        assert words == ["reading", "reading", "farthing-need-voucher"]
        shown = buyer.bought._sessions.climb(buyer.session, 7, 4)
        assert read_voucher(shown.voucher).claims.units == 3
        buyer.say(f"farthing-tick {to_base64url(shown.tick)}")  # Its voucher was not heard.
        word, problem = await buyer.told()
        assert (word, problem["code"]) == ("farthing-refused", "bad-tick")
        buyer.say(f"farthing-voucher {to_base64url(shown.voucher)}")
        buyer.say(f"farthing-tick {to_base64url(shown.tick)}")
        assert (await buyer.told())[0] == "reading"
        meter = shop.metering.find(buyer.session)
        assert meter is not None
        assert (meter.units, meter.ticks) == (7, 1)
