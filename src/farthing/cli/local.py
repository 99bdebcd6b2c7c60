"""Talking to this machine's hub: over its own socket when it runs, else by opening it here."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from farthing.config import Config, load_config
from farthing.errors import FarthingError, Unavailable
from farthing.sockets import is_running, socket_path
from farthing.web.remote_hub import error_of

if TYPE_CHECKING:
    from farthing.app import Hub

_BASE = "http://farthing.local"
_TRIES, _PAUSE_SECONDS = 50, 0.1


@contextlib.asynccontextmanager
async def local_client(config: Config) -> AsyncGenerator[httpx.AsyncClient]:
    """Give a client that speaks to the hub as its operator."""
    if is_running(config):
        transport: httpx.AsyncBaseTransport = httpx.AsyncHTTPTransport(uds=str(socket_path(config)))
        async with httpx.AsyncClient(transport=transport, base_url=_BASE) as client:
            yield client
        return
    from farthing.web.app import HubApp, LocalOperator  # noqa: PLC0415 - only without a hub

    hub = await _open_or_wait(config)
    if hub is None:
        async with local_client(config) as client:
            yield client
        return
    try:
        transport = httpx.ASGITransport(app=LocalOperator(HubApp(hub.desk)))  # pyright: ignore[reportArgumentType]
        async with httpx.AsyncClient(transport=transport, base_url=_BASE) as client:
            yield client
    finally:
        await hub.close()


async def _open_or_wait(config: Config) -> "Hub | None":
    """Open the hub here; or None if one that was just being started now listens."""
    from farthing.app import open_hub  # noqa: PLC0415 - it brings the whole hub along

    for _ in range(_TRIES):
        try:
            return await open_hub(config)
        except Unavailable as fault:
            if fault.code != "store-locked":
                raise
        if is_running(config):
            return None
        await asyncio.sleep(_PAUSE_SECONDS)
    return await open_hub(config)


async def ask(client: httpx.AsyncClient, method: str, path: str, body: Any = None) -> Any:
    """Ask the hub, and give its JSON.

    Raises: the FarthingError that its problem tells of.
    """
    try:
        answer = await client.request(method, path, json=body)
    except httpx.HTTPError as fault:
        raise Unavailable("hub-unreachable", f"the hub does not answer: {fault}") from None
    if answer.status_code >= 400:
        raise error_of(answer)
    return answer.json()


def ask_local(method: str, path: str, body: Any = None, config: Path | None = None) -> Any:
    """Ask this machine's hub once.

    Raises: FarthingError.
    """

    async def run() -> Any:
        async with local_client(load_config(config)) as client:
            return await ask(client, method, path, body)

    return asyncio.run(run())


__all__ = ["FarthingError", "ask", "ask_local", "is_running", "local_client", "socket_path"]
