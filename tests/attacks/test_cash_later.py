"""A seller answers a signed order with no and cashes it behind the buyer's back, at a real hub."""

import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from farthing.clock import NS, system_clock
from farthing.core.orders import SignedOrder
from farthing.device import AnswerLost, Client, Membership, Patience, Purse, paid, unproven
from farthing.errors import OutcomeUnknown, PaymentRefused
from farthing.protocols.base import Terms
from farthing.protocols.mpp import Mpp
from farthing.protocols.x402 import X402
from farthing.web.app import HubApp
from tests.web.api.town import URL, Town, body_of, cancel_of, open_town

SHOP = "https://shop.example/page"
Act = Callable[[SignedOrder], Any]


class Crook(httpx.AsyncBaseTransport):
    """A shop that keeps every order it is sent; `does` is done before it answers `status`."""

    def __init__(self, town: Town, language: Any) -> None:
        self.town, self.language = town, language
        self.hub = httpx.ASGITransport(HubApp(town.hub.desk))
        self.hub_away = False
        self.status = 402
        self.orders: list[SignedOrder] = []
        self.does: Act | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "hub.test":
            if self.hub_away:
                raise httpx.ConnectError("no way through")
            return await self.hub.handle_async_request(request)
        headers = dict(request.headers)
        terms = Terms(
            realm="shop.example",
            hub=self.town.hub.ctx.identity.hub,
            payee=self.town.accounts["shop"],
            asset="USD",
            amount=1500,
            resource="GET /page",
            url=SHOP,
        )
        if self.language.carries(headers):
            order = self.language.read(headers, terms, self.town.clock())
            self.orders.append(order)
            if self.does is not None:
                await self.does(order)
            if self.status < 400:
                body = httpx.ByteStream(b"page")
                return httpx.Response(self.status, stream=body, request=request)
        asked = self.language.challenge(terms, self.town.clock(), None)
        return httpx.Response(402, headers=list(asked), request=request)

    async def cash(self, order: SignedOrder) -> Any:
        """Bring an order to the hub on every way there is; tell how the payment stands."""
        await self.town.ask("POST", "/v1/payments", body_of(order))
        body = body_of(order) | {"capture": True}
        return (await self.town.made("POST", "/v1/payments/authorise", body, who="seller.seller"))[
            "state"
        ]

    async def hold(self, order: SignedOrder) -> None:
        """Hold an order's money for ten seconds."""
        body = body_of(order) | {"hold_seconds": 10}
        await self.town.made("POST", "/v1/payments/authorise", body, who="seller.seller")


class Slow:
    """The machine's clock, which can be moved on."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return system_clock() + self.ahead * NS


@asynccontextmanager
async def scene(folder: Path, language: Any) -> AsyncIterator[tuple[Crook, Client, Town]]:
    clock = Slow()
    async with open_town(folder, clock=clock) as town:
        meter, identity = town.machines["meter"], town.hub.ctx.identity
        purse = Purse(
            Membership(
                device=meter.id, hub=identity.hub, hub_url=URL, root_key=identity.root_public
            ),
            meter.signer,
        )
        crook = Crook(town, language)
        rules = Patience(clock=clock, attempts=2, first_wait_seconds=0.01)
        async with Client(purse, transport=crook, patience=rules, plain_http=True) as http:
            yield crook, http, town


LANGUAGES = [Mpp([bytes(32)]), X402()]
both = pytest.mark.parametrize("language", LANGUAGES, ids=["mpp", "x402"])


@both
async def test_what_was_refused_cannot_be_cashed_afterwards(tmp_path: Path, language: Any):
    async with scene(tmp_path, language) as (crook, http, town):
        for _ in range(3):
            with pytest.raises(PaymentRefused):
                await http.get(SHOP)
        assert len(crook.orders) == 3
        assert [await crook.cash(order) for order in crook.orders] == ["refused"] * 3
        assert await town.available("shop") == 0
        assert await town.available("purse") == 1_000_000


@both
async def test_what_was_cashed_first_is_paid_once_however_often_the_buyer_asks(
    tmp_path: Path, language: Any
):
    async with scene(tmp_path, language) as (crook, http, town):
        crook.does = crook.cash
        for _ in range(3):
            with pytest.raises(AnswerLost) as lost:
                await http.get(SHOP)
            assert lost.value.paid.receipt_fault == ""
            assert lost.value.paid.amount.units == 1500
        assert await town.available("shop") == 1500
        payment = lost.value.paid.payment
        await town.made("POST", f"/v1/payments/{payment}/refunds", who="seller.seller")
        crook.does, crook.orders = None, []
        with pytest.raises(PaymentRefused):  # Given back: the old order is over, a new one signed.
            await http.get(SHOP)
        assert len({order.order.nonce for order in crook.orders}) == 2


@both
async def test_a_hold_behind_a_refusal_keeps_the_outcome_open_until_it_ends(
    tmp_path: Path, language: Any
):
    async with scene(tmp_path, language) as (crook, http, town):
        crook.does = crook.hold
        for _ in range(2):
            with pytest.raises(OutcomeUnknown) as unknown:
                await http.get(SHOP)
            assert unknown.value.more["state"] == "held"
        assert len({order.order.nonce for order in crook.orders}) == 1
        crook.does, town.clock.ahead = None, 11
        with pytest.raises(PaymentRefused):
            await http.get(SHOP)
        assert len({order.order.nonce for order in crook.orders}) == 2
        assert await town.available("purse") == 1_000_000


@both
async def test_while_the_hub_is_away_nothing_new_is_signed(tmp_path: Path, language: Any):
    async with scene(tmp_path, language) as (crook, http, town):
        crook.hub_away = True
        for _ in range(3):
            with pytest.raises(OutcomeUnknown):
                await http.get(SHOP)
        assert len({order.order.nonce for order in crook.orders}) == 1
        assert await crook.cash(crook.orders[0]) == "captured"
        crook.hub_away = False
        with pytest.raises(AnswerLost):
            await http.get(SHOP)
        assert await town.available("shop") == 1500


@both
@pytest.mark.parametrize("status", [200, 302])
async def test_an_answer_without_a_payment_is_not_called_paid(
    tmp_path: Path, language: Any, status: int
):
    async with scene(tmp_path, language) as (crook, http, _town):
        crook.status = status
        answer = await http.get(SHOP)
        assert (answer.status_code, paid(answer)) == (status, None)
        assert unproven(answer).state == "unknown-there"
        crook.does = crook.cash
        answer = await http.get(SHOP)
        assert paid(answer).receipt_fault == ""
        assert len({order.order.nonce for order in crook.orders}) == 1


async def test_an_order_seen_on_the_way_can_be_cancelled_by_its_device_alone(tmp_path: Path):
    async with open_town(tmp_path) as town:
        signed = town.order()
        await town.enrol("thief", "purse", town.machines["meter"].mandate)
        for body in (body_of(signed), cancel_of(signed, town.machines["thief"].signer)):
            refused = await town.ask("POST", "/v1/payments/cancel", body)
            assert refused.status_code == 401
        stolen = dataclasses.replace(town.machines["thief"], id=town.machines["meter"].id)
        refused = await town.ask("POST", "/v1/payments/cancel", cancel_of(signed, stolen.signer))
        assert refused.status_code == 401
        assert (await town.ask("POST", "/v1/payments", body_of(signed))).status_code == 200
