"""Talking to a hub: this machine's over its own socket, or by opening it here; or one elsewhere."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import msgspec

from farthing import asking
from farthing.codec import read_json
from farthing.config import load_config
from farthing.errors import BadConfig, Malformed, Unavailable
from farthing.money import Asset
from farthing.settings import Config
from farthing.sockets import is_running, socket_path
from farthing.terminal.talk import manners
from farthing.terminal.typed import without_userinfo
from farthing.web.remote_hub import error_of

if TYPE_CHECKING:
    from farthing.app import Hub

_BASE = "http://farthing.local"
_TRIES, _PAUSE_SECONDS = 50, 0.1


def hub_client(config: Path | None) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    """Give a client of the hub that `--hub` names, or of this machine's.

    Raises: BadConfig `key-missing`; Malformed `not-private`, `malformed-url`.
    """
    hub = manners.get().hub
    return _remote_client(hub) if hub else local_client(load_config(config))


def _remote_client(hub: str) -> httpx.AsyncClient:
    key = os.environ.get("FARTHING_KEY", "").strip()
    if not key:
        raise BadConfig("key-missing", "put your API key into the variable FARTHING_KEY")
    if not (key.isascii() and key.isprintable()):
        raise BadConfig("key-missing", "what $FARTHING_KEY has is no API key")
    from farthing.device.hub_calls import check_private  # noqa: PLC0415 - the payer's side is large

    check_private(without_userinfo(hub), plain_http=False)  # The key would be read on the way.
    return httpx.AsyncClient(base_url=hub, headers={"authorization": f"Bearer {key}"})


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
        request = client.build_request(method, path, json=body)
        answer = await asking.ask(client, request, asking.LIST_BYTES_MAX)
    except (httpx.HTTPError, httpx.InvalidURL) as fault:
        told = str(fault) or type(fault).__name__
        raise Unavailable("hub-unreachable", f"the hub does not answer: {told}") from None
    if answer.status_code >= 400:
        raise error_of(answer)
    return read_json(answer.content)


def ask_hub(method: str, path: str, body: Any = None, config: Path | None = None) -> Any:
    """Ask the hub once: the one that `--hub` names, or this machine's.

    Raises: FarthingError.
    """

    async def run() -> Any:
        async with hub_client(config) as client:
            return await ask(client, method, path, body)

    return asyncio.run(run())


def ask_all(path: str, config: Path | None = None, **query: str) -> list[dict[str, Any]]:
    """Ask for a list, page by page to its end.

    Raises: FarthingError.
    """
    asked = "".join(f"&{name}={quote(value)}" for name, value in query.items() if value)

    async def run() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor, seen = "", set[str]()
        async with hub_client(config) as client:
            while True:
                items, after = _page(await ask(client, "GET", f"{path}?limit=500{asked}{cursor}"))
                found += items
                if not after:
                    return found
                if after in seen:
                    raise Malformed("malformed-answer", "the hub gives the same page again")
                seen.add(after)
                cursor = f"&cursor={quote(after)}"

    return asyncio.run(run())


def _page(told: Any) -> tuple[list[dict[str, Any]], str]:
    """Read a page of a list, from a hub that may be anybody's."""
    try:
        page = msgspec.convert(told, _Page)
    except msgspec.ValidationError:
        raise Malformed("malformed-answer", "the hub's answer is no page of a list") from None
    return page.items, page.next or ""


class _Page(msgspec.Struct, frozen=True):
    items: list[dict[str, Any]]
    next: str | None = None


def assets_of(config: Path | None) -> dict[str, Asset]:
    """Give the assets that the hub counts, by code.

    Raises: FarthingError.
    """
    if not manners.get().hub:
        return load_config(config).asset_table()
    told = ask_hub("GET", "/.well-known/farthing", config=config)["assets"]
    return {one["code"]: Asset(one["code"], one["scale"]) for one in told}


__all__ = ["ask", "ask_all", "ask_hub", "assets_of", "hub_client", "is_running", "local_client"]
