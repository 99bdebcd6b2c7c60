"""One contract for every hub a seller can meet: the real one, and the fake of the tests."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from farthing import ids, keys
from farthing.clock import system_clock
from farthing.core.orders import Order, SignedOrder
from farthing.errors import Conflict, FarthingError, PaymentRefused, Unauthenticated
from farthing.services.hub import Hub, OnceKey
from farthing.services.payments import EmbeddedHub, Payments
from farthing.testing.fake_hub import FakeHub
from tests.e2e.embedded import open_shop

HUB = "abcdefghijklmnopqrstuvwxyz234567"
PAYEE = "acc_01kaw1f2800000000000000000"


class World:
    """A hub, and a device with a dollar that signs."""

    def __init__(self, hub: Hub, hub_id: str, signer: Any, device: str, payee: str) -> None:
        self.hub, self.hub_id, self.signer = hub, hub_id, signer
        self.device, self.payee = device, payee

    def order(self, **changes: Any) -> SignedOrder:
        now = time.time_ns()
        members = {
            "hub": self.hub_id,
            "device": self.device,
            "payee": self.payee,
            "asset": "USD",
            "amount": 1500,
            "nonce": ids.encode(ids.fresh(now // 1_000_000)),
            "expires": now // 10**9 + 60,
            "resource": "GET /a",
        }
        order = Order(**(members | changes))
        return SignedOrder(order, self.signer.sign(order.signed_bytes()))

    async def take(
        self, signed: SignedOrder, *, capture: bool = False, once: OnceKey | None = None
    ) -> Any:
        return await self.hub.authorise(signed, hold_seconds=60, capture=capture, once=once)


@asynccontextmanager
async def world(kind: str, folder: Path) -> AsyncIterator[World]:
    if kind == "fake":
        fake, signer = FakeHub(HUB, system_clock), keys.new_signer()
        yield World(fake, HUB, signer, fake.enrol(signer, 1_000_000), PAYEE)
        return
    async with open_shop(folder, largest=10_000_000) as shop:
        hub = EmbeddedHub(Payments(shop.ctx), shop.ctx)
        yield World(hub, shop.ctx.identity.hub, shop.signer, shop.device, shop.payee)


@pytest.fixture(params=["fake", "embedded"])
def within(request, tmp_path):
    def run(story: Any) -> None:
        async def go() -> None:
            async with world(request.param, tmp_path) as here:
                await story(here)

        asyncio.run(go())

    return run


def test_one_caller_may_serve_and_the_others_are_told_how_it_stands(within):
    async def story(here: World):
        signed = here.order()
        answers = await asyncio.gather(*(here.take(signed) for _ in range(20)))
        assert sum(answer.fresh for answer in answers) == 1
        assert {(answer.state, answer.payment) for answer in answers} == {
            ("held", answers[0].payment)
        }
        assert {(answer.units, answer.asset) for answer in answers} == {(1500, "USD")}

    within(story)


def test_a_capture_can_be_repeated_and_carries_the_receipt(within):
    async def story(here: World):
        held = await here.take(here.order())
        for _ in range(2):
            captured = await here.hub.capture(held.payment)
            assert captured.state == "captured" and not captured.fresh
            assert captured.receipt["statement"]["payment"] == held.payment
            assert "committed_at" in captured.receipt["proof"]["head"]
        with pytest.raises(Conflict):
            await here.hub.void(held.payment, "late")

    within(story)


def test_a_void_can_be_repeated_and_nothing_is_captured_after_it(within):
    async def story(here: World):
        signed = here.order()
        held = await here.take(signed)
        for _ in range(2):
            assert (await here.hub.void(held.payment, "no answer")).state == "voided"
        with pytest.raises(Conflict):
            await here.hub.capture(held.payment)
        again = await here.take(signed)
        assert (again.state, again.fresh) == ("voided", False)

    within(story)


def test_a_charge_in_one_step_is_captured_and_can_be_given_back(within):
    async def story(here: World):
        signed = here.order()
        charged = await here.take(signed, capture=True)
        assert (charged.state, charged.fresh) == ("captured", True)
        assert charged.receipt["statement"]["payment"] == charged.payment
        back = await here.hub.refund(charged.payment, None, "handler failed")
        assert (back.payment, back.state) == (charged.payment, "refunded")
        again = await here.take(signed, capture=True)
        assert (again.state, again.fresh) == ("refunded", False)
        await here.hub.delivery_incomplete(charged.payment, "broke off")

    within(story)


def test_only_what_is_recorded_is_told(within):
    async def story(here: World):
        signed = here.order()
        assert await here.hub.recorded(signed) is None
        held = await here.take(signed)
        told = await here.hub.recorded(signed)
        assert (told.payment, told.state, told.fresh) == (held.payment, "held", False)

    within(story)


def test_too_little_money_is_a_recorded_refusal(within):
    async def story(here: World):
        signed = here.order(amount=2_000_000)
        refused = await here.take(signed)
        assert (refused.state, refused.fresh) == ("refused", False)
        assert refused.reason in ("insufficient-funds", "mandate-budget")
        assert (await here.take(signed)).reason == refused.reason

    within(story)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"hub": "z" * 32}, PaymentRefused),
        ({"expires": 1_000_000_000}, PaymentRefused),
        ({"device": "dev_01kaw1f2810000000000000000"}, Unauthenticated),
    ],
)
def test_an_order_that_cannot_be_judged_takes_nothing(within, changes, error):
    async def story(here: World):
        with pytest.raises(error):
            await here.take(here.order(**changes))

    within(story)


def test_a_signature_over_something_else_and_a_nonce_used_twice_are_refused(within):
    async def story(here: World):
        signed = here.order()
        other = here.order(nonce=signed.order.nonce, amount=1)
        with pytest.raises(Unauthenticated):
            await here.take(SignedOrder(other.order, signed.signature))
        await here.take(signed)
        with pytest.raises(FarthingError) as caught:
            await here.take(other)
        assert (caught.value.code, caught.value.status) == ("nonce-used", 409)

    within(story)


def under(key: str = "one", content: str = "A" * 43) -> OnceKey:
    return OnceKey(method="POST", route="shop /paid", key=key, content=content)


def test_one_key_is_one_payment_however_often_it_is_signed(within):
    async def story(here: World):
        first = await here.take(here.order(), once=under())
        answers = await asyncio.gather(*(here.take(here.order(), once=under()) for _ in range(9)))
        assert {(answer.payment, answer.fresh) for answer in answers} == {(first.payment, False)}
        assert (await here.take(here.order(), once=under("two"))).payment != first.payment
        await here.hub.capture(first.payment)
        again = await here.take(here.order(), once=under())
        assert (again.payment, again.state, again.fresh) == (first.payment, "captured", False)
        assert again.receipt["statement"]["payment"] == first.payment

    within(story)


def test_a_key_stays_with_its_content_and_is_free_again_when_nothing_was_taken(within):
    async def story(here: World):
        first = await here.take(here.order(), once=under())
        with pytest.raises(Conflict) as caught:
            await here.take(here.order(), once=under(content="B" * 42 + "A"))
        assert caught.value.code == "idempotency-key-reused"
        await here.hub.void(first.payment, "the handler failed")
        other = await here.take(here.order(), once=under())
        assert other.payment != first.payment and other.fresh
        assert (await here.take(here.order(), once=under())).payment == other.payment

    within(story)


def test_a_key_is_closed_to_whoever_proves_nothing(within):
    async def story(here: World):
        await here.take(here.order(), once=under())
        forged = SignedOrder(here.order().order, bytes(64))
        for once in (under(), under(content="B" * 42 + "A")):
            with pytest.raises(Unauthenticated):
                await here.take(forged, once=once)
        late = here.order(expires=1_000_000_000)
        with pytest.raises(PaymentRefused):
            await here.take(late, once=under())

    within(story)
