"""One contract for every hub a meter can meet: in this process, over HTTP, and the tests' fake."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from farthing import ids, keys
from farthing.clock import NS, system_clock
from farthing.core.ladders import Climber
from farthing.core.meters import SeenSession, opened
from farthing.core.orders import Order, SignedOrder
from farthing.core.sessions import Opening, top_up_resource
from farthing.core.tariffs import Tariff, flat_rate
from farthing.core.ticks import Ladder, Tick, write_tick
from farthing.core.vouchers import Claims, sign_voucher
from farthing.errors import Conflict, FarthingError, Malformed, Missing, PaymentRefused
from farthing.services.proving import Presented
from farthing.services.session_hub import EmbeddedSessions, SessionHub
from farthing.testing.fake_sessions import FakeSessions
from farthing.web.remote_sessions import RemoteSessions
from tests.web.api.town import LOCAL, Town, open_town

TARIFF = flat_rate("USD", "request", 3, 2)
HUB = "abcdefghijklmnopqrstuvwxyz234567"
PAYEE = "acc_01kaw1f2800000000000000000"


class World:
    """A hub, and a device with money that opens sessions and draws them."""

    def __init__(self, hub: SessionHub, signer: Any, device: str, payee: str) -> None:
        self.hub, self.signer, self.device, self.payee = hub, signer, device, payee
        self.hub_id = HUB
        self.town: Town | None = None
        self.fake: FakeSessions | None = None

    def order(self, amount: int, resource: str) -> SignedOrder:
        now = time.time_ns()
        order = Order(
            hub=self.hub_id,
            device=self.device,
            payee=self.payee,
            asset="USD",
            amount=amount,
            nonce=ids.encode(ids.fresh(now // 1_000_000)),
            expires=now // NS + 60,
            resource=resource,
        )
        return SignedOrder(order, self.signer.sign(order.signed_bytes()))

    def opening(self, deposit: int = 1000, tariff: Tariff = TARIFF) -> SignedOrder:
        return self.order(deposit, Opening(tariff.digest(), 600, 60, "shop.example").resource())

    async def open(self, deposit: int = 1000) -> SeenSession:
        return await self.hub.open(self.opening(deposit), TARIFF)

    def voucher(
        self, seen: SeenSession, units: int, signer: Any = None, ladder: Ladder | None = None
    ) -> Presented:
        meter = opened(seen)
        claims = Claims(meter.alias, units, units, seen.ends_ns // NS, ladder)
        return Presented(seen.session, sign_voucher(signer or self.signer, meter.agreed, claims))

    async def revoke(self) -> None:
        if self.fake is not None:
            self.fake.revoke(self.device)
        if self.town is not None:
            await self.town.made("POST", f"/v1/devices/{self.device}/revoke", {}, who=LOCAL)


@asynccontextmanager
async def world(kind: str, folder: Path) -> AsyncIterator[World]:
    if kind == "fake":
        fake, signer = FakeSessions(system_clock), keys.new_signer()
        device = ids.name("dev", ids.fresh(1))
        fake.devices[device] = signer.public
        here = World(fake, signer, device, PAYEE)
        here.fake = fake
        yield here
        return
    async with open_town(folder) as town:
        machine, ctx, owner = town.machines["meter"], town.hub.ctx, town.owners["seller"]
        hub: SessionHub = EmbeddedSessions(town.hub.desk.sessions, ctx, owner)
        if kind == "remote":
            bearer = {"authorization": f"Bearer {town.keys['seller.seller']}"}
            wire = httpx.AsyncClient(
                transport=town.http._transport, base_url=town.http.base_url, headers=bearer
            )
            hub = RemoteSessions(wire)
        here = World(hub, machine.signer, machine.id, town.accounts["shop"])
        here.hub_id, here.town = ctx.identity.hub, town
        yield here


@pytest.fixture(params=["fake", "embedded", "remote"])
def within(request, tmp_path):
    def run(story: Any) -> None:
        async def go() -> None:
            async with world(request.param, tmp_path) as here:
                await story(here)

        asyncio.run(go())

    return run


def test_a_session_is_seen_as_it_was_opened_and_again_when_the_order_is_sent_again(within):
    async def story(here: World):
        order = here.opening(700)
        seen = await here.hub.open(order, TARIFF)
        assert (seen.deposit, seen.promised, seen.closed) == (700, 0, False)
        assert (seen.device, seen.payee, seen.asset) == (here.device, here.payee, "USD")
        assert (seen.key, seen.purpose) == (here.signer.public, "shop.example")
        assert seen.tariff.encode() == TARIFF.written()
        assert 0 < seen.closes_ns - seen.ends_ns <= 61 * NS
        assert await here.hub.open(order, TARIFF) == await here.hub.look_up(seen.session) == seen

    within(story)


def test_another_tariff_than_the_signed_one_and_an_unknown_session_are_refused(within):
    async def story(here: World):
        with pytest.raises(Malformed) as caught:
            await here.hub.open(here.opening(), flat_rate("USD", "request", 4))
        assert caught.value.code == "tariff-mismatch"
        with pytest.raises(Missing) as missing:
            await here.hub.look_up(ids.name("ses", 7))
        assert missing.value.code == "no-such-session"

    within(story)


@pytest.mark.rule("session.voucher-order", "session.monotone", on="hub")
def test_vouchers_are_answered_each_by_itself_and_the_highest_counts(within):
    async def story(here: World):
        one, two = await here.open(), await here.open(50)
        forged = here.voucher(one, 9, keys.new_signer())
        answers = await here.hub.hand_in(
            [
                here.voucher(one, 30),
                here.voucher(one, 30),
                here.voucher(two, 51),
                forged,
                here.voucher(one, 20),
                here.voucher(two, 50),
            ]
        )
        assert [each if isinstance(each, int) else each.code for each in answers] == [
            30,
            30,
            "voucher-beyond-deposit",
            "bad-voucher",
            "voucher-superseded",
            50,
        ]
        superseded = answers[4]
        assert isinstance(superseded, FarthingError) and superseded.more["promised"] == "30"
        assert (await here.hub.look_up(one.session)).promised == 30

    within(story)


@pytest.mark.rule("session.top-up", on="hub")
def test_a_deposit_grows_by_another_order_for_that_session_alone(within):
    async def story(here: World):
        one, two = await here.open(10), await here.open(10)
        more = here.order(5, top_up_resource(one.session))
        for _ in range(2):
            assert (await here.hub.top_up(one.session, more)).deposit == 15
        with pytest.raises(FarthingError):
            await here.hub.top_up(two.session, more)
        assert (await here.hub.look_up(two.session)).deposit == 10

    within(story)


@pytest.mark.rule("session.close", on="hub")
def test_a_session_is_closed_once_for_no_more_than_was_promised(within):
    async def story(here: World):
        seen = await here.open()
        await here.hub.hand_in([here.voucher(seen, 30)])
        with pytest.raises(Malformed):
            await here.hub.close(seen.session, 31)
        for _ in range(2):
            closed = await here.hub.close(seen.session, 29)
            assert (closed.closed, closed.captured, closed.promised) == (True, 29, 30)
        with pytest.raises(Conflict):
            await here.hub.close(seen.session, 28)
        [answer] = await here.hub.hand_in([here.voucher(seen, 40)])
        assert isinstance(answer, Conflict) and answer.code == "session-closed"

    within(story)


def test_after_revocation_only_what_was_accepted_before_is_taken_as_late(within):
    async def story(here: World):
        seen = await here.open()
        await here.revoke()
        [answer] = await here.hub.hand_in([here.voucher(seen, 30)])
        assert isinstance(answer, PaymentRefused) and answer.code == "session-revoked"
        assert await here.hub.hand_in([here.voucher(seen, 30)], late=True) == [30]
        assert await here.hub.hand_in([here.voucher(seen, 30)]) == [30]

    within(story)


def test_a_voucher_with_its_tick_promises_what_both_do(within):
    async def story(here: World):
        seen = await here.open()
        climber = Climber(opened(seen).alias, bytes(16), 100)
        voucher = here.voucher(seen, 1, ladder=climber.ladder(3))
        for count, promised in ((0, 1), (2, 7), (90, 271)):
            tick = write_tick(Tick(opened(seen).alias, *climber.rung(count))) if count else b""
            assert await here.hub.hand_in([voucher._replace(tick=tick)]) == [promised]
        assert (await here.hub.look_up(seen.session)).promised == 271
        assert (await here.hub.close(seen.session, 270)).captured == 270

    within(story)
