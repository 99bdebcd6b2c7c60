"""Web servers on free ports of this machine, which leave signals alone."""

import asyncio
import contextlib
import socket
from collections.abc import Generator
from typing import Any

import uvicorn

from farthing.cli.server_settings import common_settings
from farthing.errors import Unavailable
from farthing.web.asgi import App

_HOST = "127.0.0.1"
_GRACE_SECONDS = 5
_LOOK_SECONDS = 0.005


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class Served:
    """An ASGI app behind a socket of its own."""

    def __init__(self, app: App) -> None:
        # With the protocol named, asyncio sets TCP_NODELAY; without it answers wait 40 ms.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind((_HOST, 0))
        self.url = f"http://{_HOST}:{self._socket.getsockname()[1]}"
        settings: dict[str, Any] = {
            **common_settings(),
            "timeout_graceful_shutdown": _GRACE_SECONDS,
        }
        self._server = _Server(uvicorn.Config(app, **settings))
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> "Served":
        """Listen.

        Raises: Unavailable `server-failed`.
        """
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._task.done():
                raise Unavailable("server-failed", f"nothing can be served at {self.url}")
            await asyncio.sleep(_LOOK_SECONDS)
        return self

    async def stop(self) -> None:
        """Finish what was accepted, and close the port."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()
