"""One process that serves a hub, alone or as one of several workers."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

import structlog
import uvicorn

from farthing.app import Hub, open_hub
from farthing.books.door import Door
from farthing.cli.listening import guard_of, serve_on
from farthing.cli.local import is_running
from farthing.cli.notify import told, told_to_systemd
from farthing.cli.places import Places, local_socket
from farthing.cli.seats import BEAT_SECONDS, Seat
from farthing.cli.server_settings import bounded_settings, common_settings, socket_settings
from farthing.cli.worker_metrics import shown_together
from farthing.delivering import delivering
from farthing.errors import Unavailable
from farthing.observe.tracing import Tracing, open_tracing
from farthing.services.event_log import EventLog
from farthing.settings import Config
from farthing.web.api.voucher_socket import MESSAGE_BYTES_MAX
from farthing.web.app import HubApp, LocalOperator, PrivateOnly
from farthing.web.door import AT_ONCE, AT_ONCE_BESIDE_OTHERS, BoundedServer
from farthing.web.guard import Guard
from farthing.web.metrics_page import served_beside
from farthing.web.quick_http import Quick
from farthing.web.trust import Trust

log = structlog.get_logger()

TRIES, PAUSE_SECONDS = 100, 0.1


async def serve_hub(
    config: Config,
    places: Places,
    *,
    accept_rollback: bool = False,
    seat: Seat | None = None,
    local: socket.socket | None = None,
    door: Door | None = None,
) -> None:
    """Serve a hub until told to stop, then finish what was accepted.

    Shape: a worker has a `seat`, and shares the hub's `local` socket with the others; on SQLite it
           has its books written behind a `door`.
    """
    tracing = open_tracing(config.tracing.endpoint, "hub", config.tracing.percent)
    hub = await _open(config, accept_rollback, tracing, door)
    hub.worker.looks = seat is None or seat.is_first
    tells = hub.worker.looks and _tells_events(config)
    told_events = EventLog(hub.ctx, config.log.format) if tells else None
    try:
        async with contextlib.AsyncExitStack() as beside:
            own = local or beside.enter_context(local_socket(config))
            if told_events is not None:
                await told_events.start()
            if hub.worker.looks:
                await beside.enter_async_context(delivering(hub))
            if seat is not None:
                await beside.enter_async_context(shown_together(hub.desk, config, seat))
            page = served_beside(places.metrics, hub.desk.metrics, common_settings())
            await beside.enter_async_context(page)
            await _run(hub, config, _servers(hub, config, own, seat), places.public, seat)
    finally:
        if told_events is not None:
            await told_events.stop()
        await hub.close()
        if tracing is not None:
            await asyncio.to_thread(tracing.close)
        if seat is None:
            log.info("hub.stopped")


def _servers(
    hub: Hub, config: Config, own: socket.socket, seat: Seat | None
) -> list[uvicorn.Server]:
    """Give the server of the port, and that of the hub's own socket."""
    proxies = config.server.trusted_proxies
    guard = guard_of(config, proxies)
    app = HubApp(hub.desk, guard.requests)
    public = PrivateOnly(app, Trust(proxies)) if proxies else app
    quick = None if proxies else app.router
    at_once = AT_ONCE if seat is None else AT_ONCE_BESIDE_OTHERS
    settings = uvicorn.Config(LocalOperator(app), fd=own.fileno(), **common_settings())
    return [_tcp_server(config, public, guard, quick, at_once), _QuietServer(settings)]


def _tells_events(config: Config) -> bool:
    return config.log.events and config.log.level in ("debug", "info")


async def _open(
    config: Config, accept_rollback: bool, tracing: Tracing | None, door: Door | None
) -> Hub:
    """Open the hub, waiting for a command that is just using its books, or for the last commit of a
    hub that was killed: its writing process lives on until it sees that it is alone.
    """

    def opened() -> Coroutine[Any, Any, Hub]:
        return open_hub(
            config, accept_rollback=accept_rollback, tracing=tracing, serves=True, door=door
        )

    for _ in range(TRIES):
        try:
            return await opened()
        except Unavailable as fault:
            if fault.code != "store-locked" or is_running(config):
                raise
        await asyncio.sleep(PAUSE_SECONDS)
    return await opened()


async def _run(
    hub: Hub,
    config: Config,
    servers: list[uvicorn.Server],
    listener: socket.socket,
    seat: Seat | None,
) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        hub.desk.closing = True
        hub.ctx.committed.give()
        for one in servers:
            one.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    if seat is None:
        log.info("hub.started", hub=hub.ctx.identity.hub, url=config.server.url())
    else:
        seat.follow(loop, stop)
    public, local = servers
    async with _telling(seat, servers, _progress(hub)):
        await asyncio.gather(serve_on(public, listener), local.serve())


@contextlib.asynccontextmanager
async def _telling(
    seat: Seat | None, servers: list[uvicorn.Server], is_alive: Callable[[], bool]
) -> AsyncGenerator[None]:
    """Tell who started this process how it is: systemd, or who starts the workers."""
    telling = (
        told_to_systemd(servers, is_alive)
        if seat is None
        else told(servers, is_alive, seat.tell, BEAT_SECONDS)
    )
    async with telling:
        yield


def _progress(hub: Hub) -> Callable[[], bool]:
    """Give what tells whether the worker has gone on since it was asked last."""
    seen = -1

    def goes_on() -> bool:
        nonlocal seen
        before, seen = seen, hub.worker.turns
        return seen != before

    return goes_on


class _QuietServer(uvicorn.Server):
    """A server that leaves signals to the hub."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Leave signals alone."""
        yield


def _tcp_server(
    config: Config, app: Any, guard: Guard, quick: Quick | None, at_once: int
) -> uvicorn.Server:
    server = config.server
    settings = uvicorn.Config(
        app,
        ssl_certfile=server.tls_cert or None,
        ssl_keyfile=server.tls_key or None,
        **(common_settings() | bounded_settings(guard, quick) | socket_settings(MESSAGE_BYTES_MAX)),
    )
    return BoundedServer(settings, guard, at_once)
