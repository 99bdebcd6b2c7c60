"""The simulated network as Farthing's own client sees it: a transport of httpx."""

import httpx

from simulation.hubs import HubMachine
from simulation.town import Town
from simulation.wire import Door, Request

SHOP, HUB = "shop.test", "hub.test"


class Road(httpx.AsyncBaseTransport):
    """Carries the requests of a client to a hub's machine, and answers back."""

    def __init__(self, town: Town, hub: HubMachine, client: str) -> None:
        self._town, self._hub, self._client = town, hub, client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and give its answer or what became of it on the way."""
        door: Door = "shop" if request.url.host == SHOP else "hub"
        path, headers = request.url.raw_path.decode(), _plain(request)
        sent = Request(request.method, path, request.content, headers, door)
        answer = await self._town.network.ask(self._hub, sent, self._client)
        if answer is None:
            raise httpx.ReadTimeout("nothing came", request=request)
        if not answer.status:
            raise httpx.ReadError("the connection broke", request=request)
        body = httpx.ByteStream(answer.body)  # Read later, as from a connection.
        return httpx.Response(answer.status, headers=list(answer.headers), stream=body)


def _plain(request: httpx.Request) -> tuple[tuple[bytes, bytes], ...]:
    fields = ((name.lower(), value) for name, value in request.headers.raw)
    return tuple(field for field in fields if field[0] != b"content-length")
