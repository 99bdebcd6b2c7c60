"""Metrics of all workers on one page, whichever of them is asked."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx

from farthing.asking import ask
from farthing.cli.places import private_listener
from farthing.cli.seats import Seat
from farthing.cli.server_settings import common_settings
from farthing.observe.side_by_side import side_by_side
from farthing.services.desk import Desk
from farthing.settings import Config
from farthing.sockets import socket_path
from farthing.web.metrics_page import served_beside

_PAGE = "http://localhost/metrics"
_PATIENCE_SECONDS = 2.0
_PAGE_BYTES_MAX = 4 * 1024 * 1024


@contextlib.asynccontextmanager
async def shown_together(desk: Desk, config: Config, seat: Seat) -> AsyncGenerator[None]:
    """Show this worker's metrics to the others, and let its page be that of all.

    Shape: a worker that does not answer, as one that is just started again, is left out.
    """
    own = desk.metrics

    async def page() -> bytes:
        numbers = [number for number in range(seat.of) if number != seat.number]
        found = await asyncio.gather(own(), *(_ask(_place(config, n)) for n in numbers))
        pages = dict(zip([seat.number, *numbers], found, strict=True))
        return await asyncio.to_thread(side_by_side, pages)

    place = _place(config, seat.number)
    async with served_beside(_listen(place), own, common_settings()):
        desk.metrics = page
        yield
    place.unlink(missing_ok=True)


def _place(config: Config, number: int) -> Path:
    return socket_path(config).with_name(f"worker-{number}.sock")


def _listen(place: Path) -> socket.socket:
    place.unlink(missing_ok=True)
    return private_listener(place)


async def _ask(place: Path) -> bytes:
    """Ask another worker for its page; nothing where it does not answer."""
    transport = httpx.AsyncHTTPTransport(uds=str(place))
    try:
        async with httpx.AsyncClient(transport=transport, timeout=_PATIENCE_SECONDS) as client:
            answer = await ask(client, client.build_request("GET", _PAGE), _PAGE_BYTES_MAX)
    except httpx.HTTPError:
        return b""
    return answer.content if answer.status_code == 200 else b""
