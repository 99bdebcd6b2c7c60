"""WebSockets that a device buys of a seller in a process of its own."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from farthing.device import Client, open_purse, paid
from tests.e2e.hub_process import HubProcess, wait_for
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
SERVER = ["uvicorn", "--log-level", "warning", "--ws", "wsproto"]


@pytest.fixture
def hub(tmp_path):
    with HubProcess(tmp_path) as running:
        yield running


async def test_sockets_are_paid_and_metered_under_uvicorn(hub, tmp_path):
    shop, wallet = hub.account("shop"), hub.account("wallet")
    hub.run("credit", wallet, "1 USD")
    purse = hub.purse(wallet, "--largest", "0.01 USD")
    with Seller(hub, shop, SERVER, tmp_path / "meters.db") as url:
        async with asyncio.timeout(60):
            await buy(purse, url)
    assert hub.balance(shop) == str(1500 + 20 * 100)
    assert hub.run("audit").stdout.startswith("ok:")


async def buy(purse: Path, url: str) -> None:
    async with (
        Client(open_purse(purse)) as client,
        client.session(url, deposit="0.01 USD") as session,
    ):
        async with client.socket(f"{url}/flat") as socket:
            assert await socket.receive() == "reading 0"
            made = paid(socket.response)
            assert made is not None and made.receipt is not None
        async with session.socket("/feed") as socket:
            assert [await socket.receive() for _ in range(20)][-1] == "reading 19"
            await socket.send("enough")
            assert await socket.receive() is None
            assert socket.code == 4000
        assert session.state["count"] == "20"


class Seller:
    """The app in a process of its own."""

    def __init__(self, hub: HubProcess, payee: str, command: list[str], meters: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command, "--port", str(port), "tests.e2e.socket_seller:app"],
            cwd=ROOT,
            env=hub.environment | {"PAYEE": payee, "METERS": str(meters)},
        )

    def __enter__(self) -> str:
        wait_for(self.url, self.process)
        return self.url

    def __exit__(self, *_exc: object) -> None:
        self.process.terminate()
        self.process.wait(20)
