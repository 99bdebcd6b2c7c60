"""A lone purchase of what is read is one commit; what may change something is held for first."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from farthing.books import solitude, sql
from farthing.books.solitude import ALONE_MIN
from farthing.errors import Unavailable
from farthing.web.asgi import App

from .embedded import Shop
from .test_stock_paywall import URL, in_shop, stock_x402

METHODS = pytest.mark.parametrize(("method", "commits"), [("GET", 1), ("HEAD", 1), ("POST", 2)])


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Wait for a handler as long as a test likes, on a machine as busy as it likes."""
    monkeypatch.setattr(solitude, "MEAN_SECONDS_MAX", 60)
    monkeypatch.setattr(sql, "AHEAD_SECONDS", 60)


async def buy(shop: Shop, app: App, method: str = "GET", **more: Any) -> httpx.Response:
    inner = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=stock_x402(shop, inner)) as http:
        return await http.request(method, URL, **more)


async def states(shop: Shop) -> dict[str, str]:
    return dict(await shop.ctx.database.read(lambda tx: tx.rows("SELECT id, state FROM payments")))


def handled_by(shop: Shop, handler: Any) -> App:
    shop.paywall._desk.app = handler
    return shop.paywall


@METHODS
def test_what_is_read_is_paid_for_in_one_commit(tmp_path: Path, method: str, commits: int):
    async def work(shop: Shop) -> None:
        for _ in range(ALONE_MIN):
            assert (await buy(shop, shop.paywall, method)).status_code == 200
        before = shop.ctx.books.commits
        answer = await buy(shop, shop.paywall, method)
        assert answer.status_code == 200
        assert answer.headers["payment-response"]
        assert shop.ctx.books.commits == before + commits
        assert list((await states(shop)).values()) == ["captured"] * (ALONE_MIN + 1)
        assert await shop.units(shop.payee) == 1500 * (ALONE_MIN + 1)

    in_shop(tmp_path, work)


def test_a_handler_finds_its_payment_held(tmp_path: Path):
    async def work(shop: Shop) -> None:
        for _ in range(ALONE_MIN):
            await buy(shop, shop.paywall)
        found: list[str] = []

        async def curious(scope: Any, _receive: Any, send: Any) -> None:
            payment = dict(scope["headers"])[b"farthing-payment-id"].decode()
            found.append((await states(shop))[payment])
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        assert (await buy(shop, handled_by(shop, curious))).status_code == 200
        assert found == ["held"]

    in_shop(tmp_path, work)


def test_a_handler_that_fails_is_not_paid(tmp_path: Path):
    async def work(shop: Shop) -> None:
        for _ in range(ALONE_MIN):
            await buy(shop, shop.paywall)
        paid = await shop.units(shop.payee)

        async def failing(_scope: Any, _receive: Any, _send: Any) -> None:
            raise ValueError("no weather today")

        before = shop.ctx.books.commits
        assert (await buy(shop, handled_by(shop, failing))).status_code == 500
        assert shop.ctx.books.commits == before + 1
        assert sorted((await states(shop)).values()) == ["captured"] * ALONE_MIN + ["voided"]
        assert await shop.units(shop.payee) == paid

    in_shop(tmp_path, work)


def test_a_disk_that_fails_meanwhile_serves_nothing(tmp_path: Path, monkeypatch: Any):
    async def work(shop: Shop) -> None:
        for _ in range(ALONE_MIN):
            await buy(shop, shop.paywall)
        paid = await shop.units(shop.payee)

        async def losing(_scope: Any, _receive: Any, send: Any) -> None:
            def gone(_work: Any) -> None:
                raise Unavailable("store-unavailable", "the disk is gone")

            with monkeypatch.context() as broken:
                broken.setattr(shop.ctx.database, "transact", gone)
                shop.ctx.books.finish()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"sunny"})

        answer = await buy(shop, handled_by(shop, losing))
        assert answer.status_code == 503
        assert "sunny" not in answer.text
        assert len(await states(shop)) == ALONE_MIN
        assert await shop.units(shop.payee) == paid

    in_shop(tmp_path, work)
