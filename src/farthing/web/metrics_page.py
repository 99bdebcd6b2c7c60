"""A page of metrics at an address of this machine alone, for a monitoring system without a key."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import uvicorn

from farthing.errors import BadConfig, FarthingError, Missing
from farthing.observe.board import CONTENT_TYPE, SERVER, Board
from farthing.observe.seller_watch import SellerWatch
from farthing.settings import LOOPBACK
from farthing.web.asgi import Receive, Scope, Send
from farthing.web.incoming import read_request
from farthing.web.paywall import Paywall
from farthing.web.problems import Answer, HttpProblem, problem_answer, send_answer
from farthing.web.strict_http import StrictHttp


class MetricsPage:
    """An ASGI application with one page, `GET /metrics`."""

    def __init__(self, page: Callable[[], Awaitable[bytes]]) -> None:
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(scope)
        except FarthingError as problem:
            answer = problem_answer(problem)
        await send_answer(send, answer, head=scope["method"] == "HEAD")

    async def _answer(self, scope: Scope) -> Answer:
        request = read_request(scope)
        # A browser that was led here under another name is not the monitoring system.
        if urlsplit(f"//{request.host}").hostname not in LOOPBACK:
            raise HttpProblem(403, "host-not-here", "ask by an address of this machine")
        if request.path.text != "/metrics" or request.method not in ("GET", "HEAD"):
            raise Missing("no-such-path", "there is GET /metrics and nothing else")
        fields = [
            (b"content-type", CONTENT_TYPE.encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        body = await self._page()
        return Answer(200, [*fields, (b"content-length", str(len(body)).encode())], body)


async def write_page(board: Board) -> bytes:
    """Write the page, off the event loop: it takes milliseconds, and the first a tenth of a second.

    Shape: adds what the servers of this process tell.
    """
    board.put("farthing_connections_open", StrictHttp.open_now)
    for status, count in StrictHttp.refused.items():
        board.put("farthing_http_refused_total", count, str(status), SERVER)
    return await asyncio.to_thread(board.page)


def seller_page(wall: Paywall, watch: SellerWatch) -> Callable[[], Awaitable[bytes]]:
    """Give what writes the page of a paywall's metrics."""

    async def page() -> bytes:
        for name, value, *labels in wall.figures():
            watch.board.put(name, value, *labels)
        return await write_page(watch.board)

    return page


def read_address(text: str) -> tuple[str, int]:
    """Read an address of this machine, such as `127.0.0.1:9402`.

    Raises: BadConfig `metrics-address`.
    """
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if host not in LOOPBACK or not (re.fullmatch("[0-9]{1,5}", port) and int(port) < 65536):
        raise BadConfig(
            "metrics-address",
            f"{text!r} is no address of this machine alone, like 127.0.0.1:9402; from elsewhere"
            " ask the hub's /metrics with a key",
        )
    return host, int(port)


@contextlib.asynccontextmanager
async def served_beside(
    listener: socket.socket | None,
    page: Callable[[], Awaitable[bytes]],
    settings: dict[str, Any],
) -> AsyncGenerator[None]:
    """Serve the page while something else goes on; nothing where there is no listener."""
    if listener is None:
        yield
        return
    server = uvicorn.Server(uvicorn.Config(MetricsPage(page), **settings))
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task
        listener.close()
