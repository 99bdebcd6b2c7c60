"""The hub over HTTP: its API as one ASGI application, and the same for its own socket."""

from farthing.services.desk import Desk
from farthing.web.api import devices, facilitator, hub, owners, payments, streams
from farthing.web.api.endpoint import Endpoint
from farthing.web.api.router import LOCAL, Router
from farthing.web.asgi import App, Receive, Scope, Send


def all_endpoints() -> list[Endpoint]:
    """List everything the hub serves."""
    return [
        *hub.endpoints(all_endpoints),
        *payments.ENDPOINTS,
        *streams.ENDPOINTS,
        *owners.ENDPOINTS,
        *devices.ENDPOINTS,
        *facilitator.ENDPOINTS,
    ]


class HubApp:
    """The API as an ASGI application; it refuses WebSockets and answers lifespan."""

    def __init__(self, desk: Desk) -> None:
        self.router = Router(desk, all_endpoints())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection's request."""
        if scope["type"] == "http":
            await self.router(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})


class LocalOperator:
    """The same application for whoever can open the hub's own socket: the operator."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the operator."""
        await self._app({**scope, LOCAL: True}, receive, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
