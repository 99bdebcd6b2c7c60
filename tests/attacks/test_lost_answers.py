"""A seller far away loses the hub's answers: what was taken is served once, or given back."""

import asyncio

import httpx
import pytest

from farthing.errors import OutcomeUnknown, Unavailable
from farthing.web import settlement
from farthing.web.app import HubApp
from farthing.web.remote_hub import RemoteHub
from tests.web.api.town import open_town


class BadLine(httpx.AsyncBaseTransport):
    """A line to the hub that loses answers, or does not get through at all."""

    def __init__(self, town) -> None:
        self.inner = httpx.ASGITransport(HubApp(town.hub.desk))
        self.lose = self.down = 0

    async def handle_async_request(self, request):
        if self.down:
            self.down -= 1
            raise httpx.ConnectError("no way through")
        answer = await self.inner.handle_async_request(request)
        if self.lose:
            self.lose -= 1
            raise httpx.ReadError("the answer was lost")
        return answer


def far_seller(town) -> tuple[RemoteHub, BadLine]:
    line = BadLine(town)
    headers = {"authorization": f"Bearer {town.keys['seller.seller']}"}
    return RemoteHub(
        httpx.AsyncClient(transport=line, base_url="http://hub", headers=headers)
    ), line


@pytest.mark.parametrize("capture", [False, True])
async def test_a_payment_whose_every_answer_was_lost_is_served_when_it_comes_again(
    tmp_path, capture
):
    async with open_town(tmp_path) as town:
        remote, line = far_seller(town)
        signed = town.order()

        async def ask():
            return await remote.authorise(signed, hold_seconds=60, capture=capture)

        line.lose = 3
        with pytest.raises(OutcomeUnknown):
            await ask()
        line.down = 3
        with pytest.raises(Unavailable):
            await ask()
        assert [(await ask()).fresh for _ in range(3)] == [True, False, False]


async def test_a_recorded_payment_whose_answer_was_lost_is_served(tmp_path):
    async with open_town(tmp_path) as town:
        await town.enrol("careful", "purse", await town.mandate(ask_above="10"))
        remote, line = far_seller(town)
        signed = town.order(machine="careful")
        asked = await remote.authorise(signed, hold_seconds=60, capture=False)
        path = f"/v1/payments/{asked.payment}/approve"
        await town.made("POST", path, who="buyer.owner")
        line.lose = 1
        said = [await remote.recorded(signed) for _ in range(2)]
        assert [answer.fresh for answer in said] == [True, False]


async def test_money_taken_unheard_is_given_back_once_the_hub_is_there_again(tmp_path):
    async with open_town(tmp_path) as town:
        remote, line = far_seller(town)
        held = await remote.authorise(town.order(), hold_seconds=60, capture=False)
        line.lose, line.down = 9, 0
        with pytest.raises(OutcomeUnknown):
            await settlement.capture(remote, held.payment)
        assert await town.available("shop") == 1500
        line.lose, line.down = 0, 4
        await settlement.release(remote, held.payment, "capture-failed")
        for _ in range(400):
            await asyncio.sleep(0.05)
            if await town.available("shop") == 0:
                break
        shown = await town.made("GET", f"/v1/payments/{held.payment}", who="buyer.read")
        assert (shown["state"], shown["refunded"]) == ("captured", "1500")
