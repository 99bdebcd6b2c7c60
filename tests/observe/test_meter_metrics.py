"""What a seller by sessions tells Prometheus: what is promised, how long it waits, what is lost."""

import asyncio
from pathlib import Path

from farthing.clock import NS, system_clock
from farthing.core.prices import PriceList
from farthing.observe.seller_watch import SellerWatch
from farthing.protocols.mpp import Mpp
from farthing.protocols.mpp_session import MppSessions
from farthing.web.metered_till import MeteredTill
from farthing.web.metrics_page import seller_page
from farthing.web.paywall import Paywall
from tests.contracts.test_session_hub_contract import world
from tests.services.test_metering import Seller
from tests.web.metered_shop import ASSETS

from .reading import value


class Stopped:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.now_ns = system_clock()

    def __call__(self) -> int:
        return self.now_ns


async def page_of(seller: Seller, watch: SellerWatch) -> str:
    secret = [b"s" * 32]
    wall = Paywall(
        hub=None,  # pyright: ignore[reportArgumentType] - nothing is asked of it here
        hub_id="h",
        languages=[Mpp(secret)],
        assets=ASSETS,
        prices=PriceList(),
        meters=MeteredTill(seller.meters, MppSessions(secret), ASSETS, system_clock),
    )
    return (await seller_page(wall, watch)()).decode()


def test_what_is_promised_and_not_known_to_the_hub_is_told_with_its_age(tmp_path: Path):
    async def story() -> None:
        async with world("fake", tmp_path) as here:
            seller, watch = Seller(here, tmp_path, unsettled_max=500), SellerWatch()
            clock = seller.meters._kept._clock = Stopped()
            seen = await here.open()
            await seller.present(seen, 40)
            clock.now_ns += 7 * NS
            await seller.present(seen, 60)
            clock.now_ns += 5 * NS
            page = await page_of(seller, watch)
            assert value(page, "farthing_meter_unsettled_units", asset="USD") == 60
            assert value(page, "farthing_meter_unsettled_units_max") == 500
            assert value(page, "farthing_meter_unsettled_seconds") == 12
            assert value(page, "farthing_meter_sessions_open") == 1
            await seller.meters.settle()
            page = await page_of(seller, watch)
            assert value(page, "farthing_meter_unsettled_units", asset="USD") == 0
            assert value(page, "farthing_meter_unsettled_seconds") == 0
            await seller.present(seen, 80)  # A new promise begins to wait anew.
            clock.now_ns += 3 * NS
            assert value(await page_of(seller, watch), "farthing_meter_unsettled_seconds") == 3

    asyncio.run(story())


def test_a_voucher_that_the_hub_does_not_take_is_counted_once_and_one_taken_late_is_not(
    tmp_path: Path,
):
    async def story() -> None:
        async with world("fake", tmp_path) as here:
            seller, watch = Seller(here, tmp_path), SellerWatch()
            late, lost = await here.open(), await here.open()
            await seller.present(late, 40)
            assert here.fake is not None
            here.fake.end(late.session)
            await seller.meters.settle()
            assert "farthing_meter_refused_total{" not in await page_of(seller, watch)
            await seller.present(lost, 40)
            await here.hub.close(lost.session, 0)
            await seller.meters.settle()
            page = await page_of(seller, watch)
            assert value(page, "farthing_meter_refused_total", code="session-closed") == 1

    asyncio.run(story())
