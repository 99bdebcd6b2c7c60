"""`farthing proxy` while its price file changes."""

import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.e2e.hub_process import HubProcess, wait_for
from tests.ports import free_port


def test_a_hangup_makes_the_proxy_read_its_prices_at_once_and_go_on(tmp_path: Path):
    prices, port = tmp_path / "prices.toml", free_port()
    page = f"http://127.0.0.1:{port}/page"
    with HubProcess(tmp_path) as hub:
        payee = hub.account("shop")

        def cost(price: str) -> None:
            offer = f'[[offer]]\npath = "/page"\nprice = "{price}"\n'
            prices.write_text(f'[seller]\npayee = "{payee}"\n{offer}')

        cost("0.001 USD")
        command = [sys.executable, "-m", "farthing", "proxy", "--upstream", "http://127.0.0.1:9"]
        proxy = subprocess.Popen(
            [*command, "--prices", str(prices), "--port", str(port)], env=hub.environment
        )
        try:
            wait_for(page, proxy)
            assert httpx.get(page).json()["price"] == "0.001 USD"
            cost("0.002 USD")
            proxy.send_signal(signal.SIGHUP)
            told = [httpx.get(page).json()["price"] for _ in range(3)]
            assert told[-1] == "0.002 USD"
            assert proxy.poll() is None
        finally:
            proxy.terminate()
            proxy.wait(20)
