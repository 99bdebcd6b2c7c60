"""One contract for every hub a device can ask: the real one, and the one of the client's tests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from farthing import ids
from farthing.clock import NS, system_clock
from farthing.core.orders import Order, SignedOrder, payment_name
from farthing.device import Membership, Purse
from farthing.device import hub_calls as calls
from farthing.device.hub_calls import Standing
from farthing.device.journal import Entry
from farthing.device.proof import proof_fault
from farthing.keys import Signer, new_signer
from farthing.testing.worlds import HandClock
from farthing.web.app import HubApp
from tests.device import world as stand_in
from tests.web.api.town import URL, body_of, open_town


class Here:
    """A hub, a device's purse there, and an account to pay."""

    def __init__(self, purse: Purse, payee: str, clock: HandClock, transport: Any) -> None:
        self.purse, self.payee, self.clock, self.transport = purse, payee, clock, transport
        self.pay: Callable[[SignedOrder], Awaitable[bool]]
        self.hold: Callable[[SignedOrder], Awaitable[None]]
        self.ask: Callable[[SignedOrder], Awaitable[None]]

    def order(self, **changes: Any) -> SignedOrder:
        now = self.clock()
        members: dict[str, Any] = {
            "hub": self.purse.hub,
            "device": self.purse.device,
            "payee": self.payee,
            "asset": "USD",
            "amount": 1500,
            "nonce": ids.encode(ids.fresh(now // 1_000_000)),
            "expires": now // NS + 60,
        }
        order = Order(**(members | changes))
        return SignedOrder(order, self.purse.signer.sign(order.signed_bytes()))

    async def cancel(self, signed: SignedOrder, signer: Signer | None = None) -> Standing | None:
        purse = Purse(self.purse.membership, signer or self.purse.signer)
        members = signed.order.members()
        return await calls.cancel(self.transport, purse, name(signed), members)

    async def look_up(self, signed: SignedOrder) -> Standing:
        told = await calls.look_up(self.transport, self.purse, name(signed), self.clock)
        assert told is not None
        return told


def name(signed: SignedOrder) -> str:
    return payment_name(signed.order)


@asynccontextmanager
async def fake() -> AsyncIterator[Here]:
    clock = HandClock(system_clock())
    world = stand_in.World(clock)
    purse = stand_in.a_purse(world)
    here = Here(purse, stand_in.PAYEE, clock, httpx.ASGITransport(world))

    async def pay(signed: SignedOrder) -> bool:
        return world.cash(signed)

    async def hold(signed: SignedOrder) -> None:
        world.take_as(signed, "held")

    async def ask(signed: SignedOrder) -> None:
        world.take_as(signed, "awaiting")

    here.pay, here.hold, here.ask = pay, hold, ask
    yield here


@asynccontextmanager
async def real(folder: Path) -> AsyncIterator[Here]:
    clock = HandClock(system_clock())
    async with open_town(folder, clock=clock) as town:
        careful = await town.mandate(ask_above="2000")
        machine = await town.enrol("careful", "purse", careful)
        clock.move(1)  # Its books run a little ahead of a clock that stands still.
        identity = town.hub.ctx.identity
        membership = Membership(
            device=machine.id, hub=identity.hub, hub_url=URL, root_key=identity.root_public
        )
        transport = httpx.ASGITransport(HubApp(town.hub.desk))
        here = Here(Purse(membership, machine.signer), town.accounts["shop"], clock, transport)

        async def pay(signed: SignedOrder) -> bool:
            told = await town.ask("POST", "/v1/payments", body_of(signed))
            return told.status_code == 200 and told.json()["state"] == "captured"

        async def hold(signed: SignedOrder) -> None:
            body = body_of(signed) | {"hold_seconds": 60}
            await town.made("POST", "/v1/payments/authorise", body, who="seller.seller")

        here.pay, here.hold, here.ask = pay, hold, hold
        yield here


@pytest.fixture(params=["fake", "real"])
def within(request: Any, tmp_path: Path) -> Any:
    def run(story: Callable[[Here], Awaitable[None]]) -> None:
        async def go() -> None:
            async with fake() if request.param == "fake" else real(tmp_path) as here:
                await story(here)

        asyncio.run(go())

    return run


def test_an_order_that_the_hub_has_not_seen_is_cancelled_for_good(within):
    async def story(here: Here) -> None:
        signed = here.order()
        assert (await here.look_up(signed)).unseen
        for _ in range(2):
            told = await here.cancel(signed)
            assert (told.payment, told.state, told.reason) == (name(signed), "refused", "cancelled")
            assert told.over_unpaid and not told.taken
        assert not await here.pay(signed)
        looked = await here.look_up(signed)
        assert (looked.state, looked.reason) == ("refused", "cancelled")

    within(story)


def test_an_order_that_was_paid_is_told_with_its_receipt(within):
    async def story(here: Here) -> None:
        signed = here.order()
        assert await here.pay(signed)
        for told in (await here.cancel(signed), await here.look_up(signed)):
            assert told.taken and not told.over_unpaid
            assert proof_fault(here.purse, entry_of(signed), told.receipt) == ""
        assert await here.pay(signed)

    within(story)


def entry_of(signed: SignedOrder) -> Entry:
    order = signed.order
    return Entry(
        payment=name(signed),
        request="",
        method="GET",
        url="",
        language="mpp",
        payee=order.payee,
        asset=order.asset,
        scale=6,
        amount=order.amount,
        expires=order.expires,
        fields=[],
        order=order.members(),
    )


def test_a_hold_stands_and_is_told(within):
    async def story(here: Here) -> None:
        signed = here.order()
        await here.hold(signed)
        told = await here.cancel(signed)
        assert (told.state, told.over_unpaid, told.taken) == ("held", False, False)

    within(story)


def test_what_awaits_its_owner_is_withdrawn(within):
    async def story(here: Here) -> None:
        signed = here.order(amount=2500)
        await here.ask(signed)
        assert (await here.look_up(signed)).state == "awaiting"
        told = await here.cancel(signed)
        assert (told.state, told.reason) == ("refused", "cancelled")
        assert not await here.pay(signed)

    within(story)


def test_an_order_that_can_never_be_paid_is_told_so(within):
    async def story(here: Here) -> None:
        late = here.order(expires=here.clock() // NS - 1)
        told = await here.cancel(late)
        assert (told.state, told.reason, told.over_unpaid) == ("never", "order-expired", True)
        paid = here.order()
        assert await here.pay(paid)
        twin = here.order(nonce=paid.order.nonce, amount=1)
        told = await here.cancel(twin)
        assert (told.state, told.reason) == ("never", "nonce-used")
        assert (await here.cancel(paid)).taken

    within(story)


def test_a_cancel_that_the_device_did_not_sign_says_nothing_and_does_nothing(within):
    async def story(here: Here) -> None:
        signed = here.order()
        assert await here.cancel(signed, new_signer()) is None
        stranger = here.order(device="dev_01kaw1f2810000000000000001")
        assert await here.cancel(stranger) is None
        assert await here.pay(signed)

    within(story)
