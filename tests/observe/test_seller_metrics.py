"""What a seller tells Prometheus: how requests end, what the hub and the upstream did."""

import asyncio

import pytest

from farthing.errors import Unavailable
from farthing.observe.process import PROCESS
from farthing.observe.seller_watch import SellerWatch
from farthing.observe.table import EVERY, OUTCOMES, SELLER
from farthing.web.limits import Limits
from farthing.web.metrics_page import seller_page
from farthing.web.proxy import ReverseProxy
from tests.web.shop import Counter, Shop, raw, selling, serving

from .reading import families, samples, value


def watched(limits: Limits | None = None) -> tuple[Shop, SellerWatch]:
    watch = SellerWatch()
    return Shop(limits=limits, watch=watch), watch


async def page_of(shop: Shop, watch: SellerWatch) -> str:
    return (await seller_page(shop.paywall, watch)()).decode()


def outcomes(page: str) -> dict[str, float]:
    """How many requests ended in which way, those of which there were none left out."""
    found = {o: value(page, "farthing_paywall_requests_total", outcome=o) for o in OUTCOMES}
    return {outcome: count for outcome, count in found.items() if count}


def test_requests_are_counted_by_how_they_end():
    async def story():
        shop, watch = watched()
        async with selling(shop, Counter()) as client:
            await client.get("/free")
            await shop.pay(client, "GET", "/paid")
            await client.get("/paid?q=" + "x" * 3000)
            shop.hub.balances[shop.device] = 1
            await shop.pay(client, "GET", "/paid")
            page = await page_of(shop, watch)
        assert outcomes(page) == {
            "free": 1,
            "asked": 2,
            "paid": 1,
            "turned-away": 1,
            "refused": 1,
        }
        assert value(page, "farthing_http_refused_total", status="414", by="app") == 1
        assert value(page, "farthing_paywall_request_seconds_count", outcome="paid") == 1
        assert value(page, "farthing_hub_call_seconds_count", step="authorise") == 2
        assert value(page, "farthing_hub_call_seconds_count", step="capture") == 1
        assert value(page, "farthing_offers_in_force") == 1
        assert value(page, "farthing_kept_answers_bytes") > 0

    asyncio.run(story())


@pytest.mark.parametrize("status", [404, 500])
def test_an_error_that_nobody_pays_for_is_a_failure_and_no_sale(status):
    async def story():
        shop, watch = watched()
        async with selling(shop, Counter(status=status)) as client:
            await shop.pay(client, "GET", "/paid")
            page = await page_of(shop, watch)
        assert outcomes(page) == {"asked": 1, "failed": 1}
        assert shop.spent == 0

    asyncio.run(story())


def test_a_hub_that_is_busy_is_counted_by_its_code():
    async def story():
        shop, watch = watched()
        shop.hub.fail("authorise")
        async with selling(shop, Counter()) as client:
            await shop.pay(client, "GET", "/paid")
            page = await page_of(shop, watch)
        assert outcomes(page) == {"asked": 1, "failed": 1}
        [line] = [line for line in page.splitlines() if "call_failures_total{" in line]
        assert 'step="authorise"' in line and line.endswith(" 1.0")

    asyncio.run(story())


def test_what_a_hub_elsewhere_calls_its_problems_makes_no_new_labels():
    watch = SellerWatch()
    for number in range(1000):
        with pytest.raises(Unavailable), watch.step("authorise"):
            raise Unavailable(f"made-up-{number}", "a hub that means no good")
    page = watch.board.page().decode()
    assert value(page, "farthing_hub_call_failures_total", step="authorise", code="other") == 1000
    assert "made-up" not in page


def test_an_upstream_that_does_not_answer_is_counted():
    async def story():
        watch = SellerWatch()
        shop = Shop(watch=watch)
        async with serving(Counter()) as url:
            front = ReverseProxy(url, watch=watch)
        async with selling(shop, front) as client:  # The upstream has gone by now.
            await client.get("/free")
            page = await page_of(shop, watch)
        await front.aclose()
        assert outcomes(page) == {"failed": 1}
        [line] = [line for line in page.splitlines() if "upstream_failures_total{" in line]
        assert line.endswith(" 1.0")

    asyncio.run(story())


def test_what_the_server_refuses_before_the_paywall_sees_it_is_counted_too():
    async def story():
        shop, watch = watched()
        before = await page_of(shop, watch)
        async with serving(shop.paywall.wrap(Counter())) as url:
            await raw(url, b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 100_000 + b"\r\n\r\n")
            page = await page_of(shop, watch)

        def refused(told: str) -> float:
            labels = (("by", "server"), ("status", "431"))
            return samples(told).get(("farthing_http_refused_total", labels), 0)

        assert refused(page) == refused(before) + 1

    asyncio.run(story())


def test_every_metric_of_the_table_is_on_the_page_and_no_other_of_ours():
    async def story():
        shop, watch = watched()
        async with selling(shop, Counter()) as client:
            await shop.pay(client, "GET", "/paid")
            return families(await page_of(shop, watch))

    found = asyncio.run(story())
    table = {metric.name: metric for metric in (*EVERY, *SELLER)}
    assert {name for name in found if name.startswith("farthing_")} == set(table)
    assert {name for name in found if name not in table} == set(PROCESS)
    for name, labels in found.items():
        assert not labels or not name.startswith("farthing_") or labels == set(table[name].labels)
