"""A small neighbourhood at a real hub, made over its API: faster than command by command."""

import asyncio
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from farthing.device import Purse, SyncClient, enrol, open_purse, sync_client
from tests.e2e.hub_process import HubProcess


@dataclass
class Neighbours:
    """A wallet with a device, and a shop. Shape: `secrets` is what must never be in a log."""

    hub: HubProcess
    wallet: str
    shop: str
    purse: Purse
    secrets: list[str]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        return ask(self.hub, method, path, body)

    def get(self, url: str) -> httpx.Response:
        """Ask for a page, and pay for it."""
        with self.paying() as http:
            return http.get(url)

    def paying(self) -> Any:
        return sync_client(self.purse, cap="0.9 USD")


def ask(hub: HubProcess, method: str, path: str, body: Any = None) -> Any:
    """Ask the hub's API with its first key, and give the JSON that it answers."""
    fields = {"authorization": f"Bearer {hub.made['key']}", "idempotency-key": secrets.token_hex(9)}
    answer = httpx.request(
        method, hub.url + path, headers=fields, json=body, timeout=20, verify=False
    )
    assert answer.is_success, answer.text
    return answer.json()


def settle(
    hub: HubProcess, folder: Path, offers: dict[str, int], largest: int = 10_000
) -> Neighbours:
    """Open accounts, put up offers in millionths of a dollar, and enrol a device."""

    def account(name: str) -> str:
        return ask(hub, "POST", "/v1/accounts", {"asset": "USD", "name": name})["id"]

    wallet, shop = account("wallet"), account("shop")
    funds = {"account": wallet, "units": "1000000", "asset": "USD"}
    ask(hub, "POST", "/v1/credits", funds)
    for path, amount in offers.items():
        told = {"payee": shop, "path": path, "asset": "USD", "amount": str(amount)}
        ask(hub, "POST", "/v1/offers", told)
    mandate = ask(hub, "POST", "/v1/mandates", {"asset": "USD", "largest": str(largest)})["id"]
    invited = {"account": wallet, "mandate": mandate}
    code = ask(hub, "POST", "/v1/devices/invitations", invited)["code"]
    purse = folder / "purse"
    asyncio.run(enrol(purse, hub.url, code))
    return Neighbours(hub, wallet, shop, open_purse(purse), [hub.made["key"], code])


__all__ = ["Neighbours", "SyncClient", "ask", "settle"]
