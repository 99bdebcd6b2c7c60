"""The programs in docs/howto/stock-software.md run as they stand there."""

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from farthing import keys

from .make_vectors import FOLDER
from .stand_in import DEVICE, HUB, PAYEE, SIGNER, Seller
from .test_stock_x402_seller import API_KEY, Facilitator

PAGE = (FOLDER.parents[1] / "howto" / "stock-software.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
X402_CLIENT, BATCH_CLIENT, BATCH_SELLER, MPP_CLIENT, X402_SELLER = PROGRAMS


def program(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(text, names)
    return names


class Served:
    """An app on a free port of this machine."""

    def __init__(self, app: Any) -> None:
        config = uvicorn.Config(app, port=0, log_level="critical", lifespan="off")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.005)
        self.url = f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"

    def close(self) -> None:
        """Stop serving."""
        self.server.should_exit = True
        self.thread.join()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    keys.write_key_file(tmp_path / "device.key", SIGNER)
    return tmp_path / "device.key"


@pytest.fixture
def hub() -> Iterator[Facilitator]:
    server = Facilitator()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("text", [X402_CLIENT, MPP_CLIENT], ids=["x402", "pympp"])
def test_the_paying_programs_pay(text: str, key_file: Path):
    seller = Seller(time.time_ns)
    served = Served(seller)
    try:
        fetch = program(text)["fetch"]
        answer: httpx.Response = asyncio.run(fetch(f"{served.url}/tea", key_file, DEVICE))
    finally:
        served.close()
    assert (answer.status_code, answer.text) == (200, "sunny")
    assert len(seller.paid) == 1


def test_the_selling_program_is_paid_by_the_paying_one(hub: Facilitator, key_file: Path):
    served = Served(program(X402_SELLER)["shop"](hub.url, HUB, API_KEY, PAYEE))
    try:
        fetch = program(X402_CLIENT)["fetch"]
        answer: httpx.Response = asyncio.run(fetch(f"{served.url}/tea", key_file, DEVICE))
    finally:
        served.close()
    assert (answer.status_code, answer.json()) == (200, "tea")
    [signed] = hub.held.values()
    assert signed.order.resource == "GET /tea"
    assert len(hub.settled) == 1
