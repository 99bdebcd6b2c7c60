"""The hub over HTTP: its API as one ASGI application, and the same for its own socket."""

from farthing.errors import FarthingError
from farthing.services.desk import Desk
from farthing.sharing import Room
from farthing.web.api import (
    batches,
    cancelling,
    cases,
    devices,
    discovery,
    facilitator,
    fees,
    hub,
    mandates,
    movements,
    notices,
    offers,
    owners,
    payments,
    people,
    refunds,
    sessions,
    streams,
    ticks,
    webhooks,
)
from farthing.web.api.endpoint import Endpoint
from farthing.web.api.router import LOCAL, Router
from farthing.web.api.signed_request import raw_path
from farthing.web.asgi import App, Receive, Scope, Send
from farthing.web.incoming import read_request
from farthing.web.pages.app import open_pages
from farthing.web.problems import problem_answer, send_answer
from farthing.web.trust import Trust
from farthing.web.unpaid import refuse_websocket

_OPEN = ("/healthz", "/readyz")


def all_endpoints() -> list[Endpoint]:
    """List everything the hub serves."""
    return [
        *hub.endpoints(all_endpoints),
        *payments.ENDPOINTS,
        *refunds.ENDPOINTS,
        *batches.ENDPOINTS,
        *sessions.ENDPOINTS,
        *ticks.ENDPOINTS,
        *cancelling.ENDPOINTS,
        *streams.ENDPOINTS,
        *owners.ENDPOINTS,
        *people.ENDPOINTS,
        *mandates.ENDPOINTS,
        *devices.ENDPOINTS,
        *offers.ENDPOINTS,
        *fees.ENDPOINTS,
        *webhooks.ENDPOINTS,
        *notices.ENDPOINTS,
        *movements.ENDPOINTS,
        *cases.ENDPOINTS,
        *facilitator.ENDPOINTS,
        *discovery.ENDPOINTS,
    ]


class HubApp:
    """The API as an ASGI application; vouchers may come over a WebSocket. It answers lifespan.

    Shape: `requests` is the room for requests that its servers share.
    """

    def __init__(self, desk: Desk, requests: Room | None = None) -> None:
        self.router = Router(desk, all_endpoints(), requests)
        self._pages = open_pages(desk, requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection's request."""
        if scope["type"] == "http":
            path = raw_path(scope)
            shown = self._pages if self._is_page(scope, path) else self.router
            await shown(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _lifespan(receive, send)
        else:
            await self.router.socket(scope, receive, send)

    def _is_page(self, scope: Scope, path: str) -> bool:
        """Tell whether people asked; the hub's own socket is for programs of this machine."""
        return not path.startswith("/v1/") and LOCAL not in scope and self._pages.serves(path)


class PrivateOnly:
    """Refuses what came over plain HTTP from elsewhere: needed where a proxy in front does TLS.

    Shape: `/healthz` and `/readyz` are answered to anybody, for they carry nothing.
    """

    def __init__(self, app: App, trust: Trust) -> None:
        self._app, self._trust = app, trust

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is private on its way."""
        if scope["type"] != "lifespan" and scope["path"] not in _OPEN:
            try:
                self._trust.check_private(read_request(scope))
            except FarthingError as error:
                if scope["type"] == "websocket":
                    await refuse_websocket(scope, receive, send, problem_answer(error))
                    return
                await send_answer(send, problem_answer(error), head=scope["method"] == "HEAD")
                return
        await self._app(scope, receive, send)


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
