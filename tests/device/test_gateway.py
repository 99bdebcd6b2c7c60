"""A gateway brings orders together: each is paid once, whatever the wire does."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from farthing.device.gateway import Gateway
from farthing.device.patience import Patience
from farthing.errors import FarthingError, Malformed, OutcomeUnknown, PaymentRefused
from farthing.web.app import HubApp
from tests.web.api.town import Town, open_town

HUB = "http://127.0.0.1:8400"


class Wire(httpx.AsyncBaseTransport):
    """Carries requests to a town's hub; some answers get lost, or are busy, on request."""

    def __init__(self, town: Town, *faults: Any) -> None:
        self._inner = httpx.ASGITransport(HubApp(town.hub.desk))
        self._faults = list(faults)
        self.sizes: list[int] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = msgspec.msgpack.decode(await request.aread())
        self.sizes.append(len(body[1]))
        fault = self._faults.pop(0) if self._faults else None
        if fault == "unsent":
            raise httpx.ConnectError("nobody there")
        if isinstance(fault, httpx.Response):
            return fault
        answer = await self._inner.handle_async_request(request)
        if fault == "lost":
            raise httpx.ReadError("the answer was lost")
        return answer


async def no_sleep(_seconds: float) -> None:
    await asyncio.sleep(0)


def gateway(wire: Wire, attempts: int = 5) -> Gateway:
    patience = Patience(attempts=attempts, sleep=no_sleep)
    return Gateway(HUB, patience=patience, transport=wire)


async def test_what_comes_while_a_request_is_under_way_goes_together(tmp_path: Path):
    async with open_town(tmp_path) as town:
        wire = Wire(town)
        async with gateway(wire) as through:
            orders = [town.order(3) for _ in range(40)]
            paid = await asyncio.gather(*(through.pay(order) for order in orders))
        assert {standing.state for standing in paid} == {"captured"}
        assert len({standing.payment for standing in paid}) == 40
        assert sum(wire.sizes) == 40
        assert through.requests <= 2
        assert await town.available("shop") == 120


async def test_a_lone_order_does_not_wait_for_others(tmp_path: Path):
    async with open_town(tmp_path) as town:
        wire = Wire(town)
        async with gateway(wire) as through:
            for _ in range(3):
                assert (await through.pay(town.order(5))).state == "captured"
        assert wire.sizes == [1, 1, 1]


async def test_orders_of_many_devices_are_paid_and_each_hears_its_own(tmp_path: Path):
    async with open_town(tmp_path) as town:
        await town.enrol("other", "purse", await town.mandate())
        async with gateway(Wire(town)) as through:
            orders = [
                town.order(amount, machine=machine)
                for amount, machine in ((7, "meter"), (8, "other"), (9, "meter"))
            ]
            paid = await asyncio.gather(*(through.pay(order) for order in orders))
        for standing, order in zip(paid, orders, strict=True):
            shown = await town.made("GET", f"/v1/payments/{standing.payment}", who="buyer.read")
            assert shown["device"] == order.order.device
            assert shown["amount"] == str(order.order.amount)


@pytest.mark.parametrize(
    "faults",
    [
        ("lost",),
        ("unsent", "lost"),
        (httpx.Response(503, headers={"retry-after": "1"}), "lost", httpx.Response(429)),
    ],
)
async def test_lost_and_busy_answers_pay_nothing_twice(tmp_path: Path, faults: Any):
    async with open_town(tmp_path) as town:
        async with gateway(Wire(town, *faults)) as through:
            orders = [town.order(4) for _ in range(10)]
            paid = await asyncio.gather(*(through.pay(order) for order in orders))
        assert {standing.state for standing in paid} == {"captured"}
        assert await town.available("shop") == 40


async def test_who_was_not_heard_brings_the_same_order_again(tmp_path: Path):
    async with open_town(tmp_path) as town:
        order = town.order(6)
        async with gateway(Wire(town, "lost", "lost"), attempts=2) as through:
            with pytest.raises(OutcomeUnknown, match="bring it again"):
                await through.pay(order)
            assert (await through.pay(order)).state == "captured"
        assert await town.available("shop") == 6


async def test_one_bad_order_harms_no_other_and_says_why(tmp_path: Path):
    async with open_town(tmp_path) as town:
        good, dear = town.order(1), town.order(2_000_000)
        forged = msgspec.structs.replace(town.order(1), signature=bytes(64))
        async with gateway(Wire(town)) as through:
            told = await asyncio.gather(
                *(through.pay(order) for order in (good, dear, forged)), return_exceptions=True
            )
        assert not isinstance(told[0], BaseException)
        assert isinstance(told[1], PaymentRefused)
        assert isinstance(told[2], FarthingError)
        assert told[2].code == "bad-signature"
        assert await town.available("shop") == 1


async def test_a_caller_that_gives_up_keeps_nobody_waiting(tmp_path: Path):
    async with open_town(tmp_path) as town, gateway(Wire(town)) as through:
        leaving = asyncio.create_task(through.pay(town.order(2)))
        staying = asyncio.create_task(through.pay(town.order(3)))
        await asyncio.sleep(0)
        leaving.cancel()
        assert (await staying).state == "captured"


@pytest.mark.parametrize(
    "content",
    [b"", b"\xc1", msgspec.msgpack.encode({"payments": []}), msgspec.msgpack.encode([1])],
)
async def test_an_answer_that_cannot_be_read_leaves_the_outcome_unknown(
    tmp_path: Path, content: bytes
):
    async with open_town(tmp_path) as town:
        spoilt = httpx.Response(200, content=content)
        async with gateway(Wire(town, spoilt)) as through:
            with pytest.raises(OutcomeUnknown):
                await through.pay(town.order(2))


async def test_long_orders_are_cut_into_requests_that_fit(tmp_path: Path):
    async with open_town(tmp_path) as town:
        wire = Wire(town)
        async with gateway(wire) as through:
            orders = [town.order(1, resource="GET /" + "x" * 2000) for _ in range(900)]
            paid = await asyncio.gather(*(through.pay(order) for order in orders))
        assert Counter(standing.state for standing in paid) == {"captured": 900}
        assert sum(wire.sizes) == 900
        assert max(wire.sizes) <= 500


def test_a_hub_that_others_can_read_along_with_is_not_used():
    with pytest.raises(Malformed, match="can be read by others"):
        Gateway("http://hub.example")
