"""The same client for code that is not asynchronous: one event loop in a thread, no second client.

with sync_client(purse, cap="0.05 USD") as http:
    answer = http.get("https://shop.example/weather")
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

from farthing.device.client import Client
from farthing.device.purse import Purse


class SyncClient:
    """Hands each call to a `Client` in another thread and waits; answers are read whole."""

    def __init__(self, portal: BlockingPortal, client: Client) -> None:
        self._portal = portal
        self.client = client

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        """Send a request and pay for its answer if need be.

        Shape:  options are those of `httpx.AsyncClient.request`.
        Raises: what `PayingTransport` raises, and httpx's own errors.
        """
        return self._portal.call(lambda: self.client.request(method, url, **options))

    def get(self, url: str, **options: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> httpx.Response:
        """POST."""
        return self.request("POST", url, **options)


@contextmanager
def sync_client(purse: Purse, **options: Any) -> Generator[SyncClient]:
    """Open a paying client for the length of a `with` block; options are those of `Client`."""
    with start_blocking_portal() as portal:
        client = Client(purse, **options)
        with portal.wrap_async_context_manager(client):
            yield SyncClient(portal, client)
