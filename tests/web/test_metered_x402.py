"""A metered route is paid by x402 `batch-settlement` as well: the same session in other words."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from x402 import x402Client
from x402.http.clients.httpx import x402AsyncTransport

from farthing.plugs.x402_batch import FarthingBatch
from tests.web.metered_shop import PRICES, MeteredShop, metered_shop
from tests.web.shop import Counter


class Keeping(httpx.AsyncHTTPTransport):
    """Keeps the payments that it carried."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if "payment-signature" in request.headers:
            self.sent.append(request.headers["payment-signature"])
        return await super().handle_async_request(request)


def stock(shop: MeteredShop, folder: Path, deposit: int = 500) -> httpx.AsyncClient:
    machine = shop.town.machines["meter"]
    scheme = FarthingBatch(machine.signer, machine.id, folder, {"USD": deposit})
    payer = x402Client().register("farthing:*", scheme)
    return httpx.AsyncClient(transport=x402AsyncTransport(payer, Keeping()), timeout=20)


def opened(value: str) -> Any:
    return json.loads(base64.b64decode(value))


async def test_a_stock_client_buys_by_the_request(tmp_path: Path):
    handler = Counter()
    async with (
        metered_shop(tmp_path, handler) as (shop, url),
        stock(shop, tmp_path / "kept") as http,
    ):
        for n in range(1, 6):
            answer = await http.get(url + "/readings")
            assert (answer.status_code, answer.content) == (200, b"goods"), answer.text
            told = opened(answer.headers["payment-response"])
            assert told["success"] and told["transaction"]
            state = told["extra"]["channelState"]
            assert state["chargedCumulativeAmount"] == str(-(-3 * n // 2))
        assert handler.runs == 5
        assert "payment-signature" not in handler.seen
        session = state["channelId"]
        assert told["transaction"].startswith(f"{session}/")
        await shop.metering.close(session)
        assert (await shop.session(session))["captured"] == "8"


async def test_what_costs_more_to_begin_is_promised_when_the_seller_says_so(tmp_path: Path):
    prices = PRICES + 'opening = "0.00005 USD"\n'
    async with (
        metered_shop(tmp_path, Counter(), prices) as (shop, url),
        stock(shop, tmp_path / "kept") as http,
    ):
        first = await http.get(url + "/readings")
        assert first.status_code == 200, first.text
        state = opened(first.headers["payment-response"])["extra"]["channelState"]
        assert state["chargedCumulativeAmount"] == "52"
        assert (await http.get(url + "/readings")).status_code == 200


async def test_a_refusal_says_how_the_session_stands(tmp_path: Path):
    async with (
        metered_shop(tmp_path, Counter()) as (shop, url),
        stock(shop, tmp_path / "kept") as http,
        httpx.AsyncClient() as bare,
    ):
        await http.get(url + "/readings")
        wire = http._transport._transport
        for _ in range(2):
            again = await bare.get(url + "/readings", headers={"payment-signature": wire.sent[0]})
        assert again.status_code == 402
        asked = opened(again.headers["payment-required"])
        assert asked["error"] == "voucher_needed"
        state = asked["accepts"][0]["extra"]["channelState"]
        assert int(state["requiredCumulativeAmount"]) > int(state["signedMaxClaimable"])


@pytest.mark.parametrize(
    ("change", "status"),
    [({"amount": "1"}, 402), ({"payTo": "acc_" + "0" * 26}, 402), ({"scheme": "exact"}, 402)],
)
async def test_what_is_not_asked_here_pays_for_nothing(
    tmp_path: Path, change: dict[str, str], status: int
):
    handler = Counter()
    async with (
        metered_shop(tmp_path, handler) as (shop, url),
        stock(shop, tmp_path / "kept") as http,
        httpx.AsyncClient() as bare,
    ):
        await http.get(url + "/readings")
        message = opened(http._transport._transport.sent[0])
        message["accepted"] |= change
        value = base64.b64encode(json.dumps(message).encode()).decode()
        answer = await bare.get(url + "/readings", headers={"payment-signature": value})
        assert answer.status_code == status
        junk = await bare.get(url + "/readings", headers={"payment-signature": "e30="})
        assert junk.status_code == 400
        assert handler.runs == 1


async def test_many_at_once_are_each_counted_once(tmp_path: Path):
    handler = Counter(seconds=0.05)
    async with (
        metered_shop(tmp_path, handler) as (shop, url),
        stock(shop, tmp_path / "kept") as http,
    ):
        first = await http.get(url + "/readings")
        answers = await asyncio.gather(*(http.get(url + "/readings") for _ in range(5)))
        served = 1 + [answer.status_code for answer in answers].count(200)
        assert handler.runs == served
        session = opened(first.headers["payment-response"])["extra"]["channelState"]["channelId"]
        meter = shop.metering.find(session)
        assert meter is not None and meter.count == served
