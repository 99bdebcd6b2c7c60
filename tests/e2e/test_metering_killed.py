"""A seller that is killed again and again while a device buys by the request.

Hub, seller and web service are processes of their own; the seller's file is on a real disk.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx

from farthing.device import Client, open_purse
from farthing.errors import FarthingError
from tests.e2e.hub_process import HubProcess, wait_for
from tests.ports import free_port

KILLS, PRICE = 3, 3
PRICES = f"""
[seller]
realm = "shop.example"

[[offer]]
path = "/page.txt"
price = "0.00000{PRICE} USD"
per = "request"
every = 2
"""


class Seller:
    """`farthing proxy` with a file of meters; it can be killed and started again."""

    def __init__(self, hub: HubProcess, upstream: str, payee: str, folder: Path) -> None:
        self.hub, self.port, self.kills = hub, free_port(), 0
        prices = folder / "prices.toml"
        prices.write_text(PRICES)
        self.command = [sys.executable, "-m", "farthing", "proxy", "--upstream", upstream]
        self.command += ["--port", str(self.port), "--payee", payee, "--prices", str(prices)]
        self.command += ["--meters", str(folder / "meters.db"), "--unsettled-max", "20"]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, env=self.hub.environment)
        wait_for(self.url, self.process)

    def kill(self) -> None:
        self.kills += 1
        self.process.kill()
        self.process.wait()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        self.start()
        try:
            yield
        finally:
            self.process.terminate()
            self.process.wait(20)


async def buy(seller: Seller, purse: Path, side_by_side: int) -> tuple[str, int]:
    """Buy without a pause while the seller is killed; give the session and what came back."""
    got = 0
    over = asyncio.Event()

    async def buyer(shop) -> None:
        nonlocal got
        while not over.is_set():
            try:
                answer = await shop.get("/page.txt")
            except (httpx.HTTPError, FarthingError):
                await asyncio.sleep(0.02)
                continue
            assert (answer.status_code, answer.text) == (200, "sunny"), answer.text
            got += 1

    async def more() -> None:
        enough = got + 12
        async with asyncio.timeout(60):
            while got < enough:  # noqa: ASYNC110 - buyers tell nobody
                await asyncio.sleep(0.01)

    async with Client(open_purse(purse)) as client:
        shop = client.session(seller.url, deposit="0.01 USD")
        await shop.get("/page.txt")
        got += 1
        buyers = [asyncio.create_task(buyer(shop)) for _ in range(side_by_side)]
        for _ in range(KILLS):
            await more()
            await asyncio.to_thread(seller.kill)
            await asyncio.to_thread(seller.start)
        await more()
        over.set()
        await asyncio.gather(*buyers)
        session = shop.session
        await shop.close()
        await shop._http.aclose()
    return session, got


def test_a_killed_seller_loses_nothing_and_gives_nothing_twice(tmp_path: Path):
    site = tmp_path / "site"
    site.mkdir()
    (site / "page.txt").write_text("sunny")
    with HubProcess(tmp_path) as hub:
        wallet, shop = hub.account("wallet"), hub.account("shop")
        hub.run("credit", wallet, "1 USD")
        purse = hub.purse(wallet, "--largest", "0.05 USD", "--budget", "1 USD/day")
        with hub.service(site) as upstream:
            seller = Seller(hub, upstream, shop, tmp_path)
            with seller.running():
                side_by_side = 3
                session, got = asyncio.run(buy(seller, purse, side_by_side))
        shown = json.loads(hub.run("api", "GET", f"/v1/sessions/{session}", "--json").stdout)
    assert seller.kills == KILLS and got > 10 * KILLS
    captured = int(shown["captured"])
    counted = captured * 2 // PRICE
    # Each answer was counted before it left; a kill can cost those under way, and no more.
    assert got <= counted <= got + KILLS * side_by_side, (got, counted)
    assert shown["state"] == "closed"
