"""`farthing init` and `farthing serve`."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import msgspec
import structlog
import typer
import uvicorn

from farthing.app import Hub, key_ring, open_hub, passphrase_of
from farthing.cli.listening import guard_of, listen, serve_on
from farthing.cli.local import ask, is_running, local_client
from farthing.cli.notify import told_to_systemd
from farthing.cli.options import ConfigOption, with_config
from farthing.cli.running import run
from farthing.cli.sampling import fill
from farthing.cli.tls import tls_context
from farthing.config import LOOPBACK, Config, load_config
from farthing.core.periods import check_zone
from farthing.errors import BadConfig, Malformed, Unavailable
from farthing.logs import configure_logs
from farthing.misfits import misfit
from farthing.observe.tracing import Tracing, open_tracing
from farthing.services.event_log import EventLog
from farthing.sockets import clear_away, make_room
from farthing.terminal.tables import columns
from farthing.terminal.talk import manners, say
from farthing.web.api.bodies import OwnerBody
from farthing.web.api.voucher_socket import MESSAGE_BYTES_MAX
from farthing.web.app import HubApp, LocalOperator, PrivateOnly
from farthing.web.door import BoundedServer, guarded
from farthing.web.guard import Guard
from farthing.web.metrics_page import read_address, served_beside
from farthing.web.quick_http import Quick, quickly
from farthing.web.strict_http import StrictHttp
from farthing.web.trust import Trust

log = structlog.get_logger()

_GRACE_SECONDS = 20
_TRIES, _PAUSE_SECONDS = 100, 0.1


def init(
    owner: Annotated[str, typer.Option(help="The first owner's name.")] = "me",
    time_zone: Annotated[str, typer.Option(help="The owner's time zone.")] = "UTC",
    demo_data: Annotated[
        bool, typer.Option("--demo-data", help="Fill it with test owners, devices and payments.")
    ] = False,
    config: ConfigOption = None,
) -> Any:
    """Make a new hub: its keys, its books, the first owner, and an API key shown once.

    Example: farthing init --owner "Parkside Chargers" --time-zone Europe/Berlin
    """
    loaded, as_json = load_config(config), manners.get().as_json
    made = asyncio.run(initialise(loaded, owner, time_zone))
    if not as_json:
        say(f"The hub {made['hub']} is ready in {made['folder']}.")
        say("This API key is shown once; keep it safe:\n")
        print(made["key"], flush=True)
    sample = asyncio.run(fill(loaded)) if demo_data else None
    steps = _next_steps(config, demo_data=demo_data)
    if as_json:
        counted = {"demo_data": sample} if sample else {}
        return {**made, **counted, "next": [command for command, _ in steps]}
    say("\nNext:")
    for line in columns(steps):
        say(f"  {line}")
    if not demo_data:
        say(f"\nTo look around in test data first: {with_config('farthing demo-data', config)}")
    return None


def _next_steps(config: Path | None, *, demo_data: bool) -> list[tuple[str, str]]:
    """Give three commands to go on with, as they have to be typed, and what each is for."""
    steps = [
        ("farthing serve", "start the hub; then, in another terminal:"),
        ("farthing accounts open USD --name shop", "an account to be paid to"),
        ("farthing doctor", "whether everything is in order"),
    ]
    if demo_data:
        steps[1:] = [
            ("farthing payments", "what was paid, refused and asked"),
            ("farthing balances", "where the money is"),
        ]
    return [(with_config(command, config), f"# {told}") for command, told in steps]


async def initialise(config: Config, owner: str, time_zone: str) -> dict[str, Any]:
    """Make a hub's keys and books, its first owner, and the owner's key.

    Raises: BadConfig `hub-exists`.
    """
    ring = key_ring(config)
    there = f"there is a hub in {config.folder} already; start it with farthing serve"
    wanted = {"name": owner, "time_zone": check_zone(time_zone)}
    _check_owner(wanted)
    if is_running(config):
        raise BadConfig("hub-exists", there)
    config.path(".").mkdir(parents=True, exist_ok=True, mode=0o700)
    begun = ring.exists
    if not (begun and _has_books(config)):
        ring.create(passphrase_of(config).told())
    async with local_client(config) as client:
        # Keys without an owner are of an `init` that could not reach its books: it goes on here.
        if begun and (await ask(client, "GET", "/v1/owners?limit=1"))["items"]:
            raise BadConfig("hub-exists", there)
        made = await ask(client, "POST", "/v1/owners", wanted)
        scopes = ["operator", "owner", "seller", "read"]
        first = {"owner": made["id"], "scopes": scopes, "label": "first key"}
        key = await ask(client, "POST", "/v1/keys", first)
        hub = await ask(client, "GET", "/.well-known/farthing")
    return {
        "hub": hub["hub"],
        "root_key": hub["root_key"],
        "folder": config.folder,
        "owner": made["id"],
        "key": key["secret"],
    }


def _has_books(config: Config) -> bool:
    return config.books.engine != "sqlite" or config.path(config.books.path).exists()


def _check_owner(wanted: dict[str, str]) -> None:
    """Look at the owner before keys and books are made for it."""
    try:
        msgspec.convert(wanted, OwnerBody)
    except msgspec.ValidationError as fault:
        raise Malformed("invalid-body", str(misfit(OwnerBody, fault))) from None


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[
        int | None, typer.Option(help="The port to listen on.", min=0, max=65535)
    ] = None,
    tls_cert: Annotated[str | None, typer.Option(help="A certificate chain (PEM).")] = None,
    tls_key: Annotated[str | None, typer.Option(help="Its private key (PEM).")] = None,
    accept_rollback: Annotated[
        bool, typer.Option("--accept-rollback", help="Go on with older books; it is recorded.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Start the hub. A hub that was never initialised is made first, and its key is shown.

    Example: farthing serve --port 8402
    """
    loaded = load_config(config)
    changes = {"host": host, "port": port, "tls_cert": tls_cert, "tls_key": tls_key}
    given = {name: value for name, value in changes.items() if value is not None}
    server = msgspec.structs.replace(loaded.server, **given)
    settings = msgspec.structs.replace(loaded, server=server)
    check_exposure(settings)
    configure_logs(settings.log.format, settings.log.level)
    run(_serve(settings, accept_rollback))


def check_exposure(config: Config) -> None:
    """Refuse to listen publicly without TLS, unless a trusted proxy does it.

    Raises: BadConfig `tls-needed`.
    """
    server = config.server
    Trust(server.trusted_proxies)  # A name that is no address is better refused at once.
    if bool(server.tls_cert) != bool(server.tls_key):
        raise BadConfig("tls-incomplete", "give both --tls-cert and --tls-key")
    if server.tls_cert:
        tls_context(server.tls_cert, server.tls_key)
    if server.host in LOOPBACK or server.tls_cert or server.trusted_proxies:
        return
    raise BadConfig(
        "tls-needed",
        f"listening on {server.host} needs --tls-cert and --tls-key, "
        "or [server] trusted_proxies if a proxy in front does TLS",
    )


async def _serve(config: Config, accept_rollback: bool) -> None:
    if is_running(config):
        detail = "a hub uses this folder already; stop it, or give each its own with --config"
        raise BadConfig("hub-running", detail)
    shown_at = read_address(config.metrics.listen) if config.metrics.listen else None
    listener = listen(config.server.host, config.server.port)
    beside = listen(*shown_at) if shown_at else None
    if not key_ring(config).exists:
        made = await initialise(config, "me", "UTC")
        say(f"A new hub was made in {config.folder}. Its API key, shown once:\n{made['key']}")
    tracing = open_tracing(config.tracing.endpoint, "hub", config.tracing.percent)
    hub = await _open(config, accept_rollback, tracing)
    proxies = config.server.trusted_proxies
    guard = guard_of(config, proxies)
    app = HubApp(hub.desk, guard.requests)
    public = PrivateOnly(app, Trust(proxies)) if proxies else app
    quick = None if proxies else app.router
    servers = [
        _tcp_server(config, public, guard, quick),
        _socket_server(config, LocalOperator(app)),
    ]
    told = EventLog(hub.ctx, config.log.format) if _tells_events(config) else None
    try:
        if told is not None:
            await told.start()
        async with served_beside(beside, hub.desk.metrics, common_settings()):
            await _run(hub, config, servers, listener)
    finally:
        if told is not None:
            await told.stop()
        await hub.close()
        if tracing is not None:
            await asyncio.to_thread(tracing.close)
        clear_away(config)
        log.info("hub.stopped")


def _tells_events(config: Config) -> bool:
    return config.log.events and config.log.level in ("debug", "info")


async def _open(config: Config, accept_rollback: bool, tracing: Tracing | None) -> Hub:
    """Open the hub, waiting for a command that is just using its books, or for the last commit of a
    hub that was killed: its writing process lives on until it sees that it is alone.
    """

    def opened() -> Coroutine[Any, Any, Hub]:
        return open_hub(config, accept_rollback=accept_rollback, tracing=tracing, serves=True)

    for _ in range(_TRIES):
        try:
            return await opened()
        except Unavailable as fault:
            if fault.code != "store-locked" or is_running(config):
                raise
        await asyncio.sleep(_PAUSE_SECONDS)
    return await opened()


async def _run(
    hub: Hub, config: Config, servers: list[uvicorn.Server], listener: socket.socket
) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        hub.desk.closing = True
        hub.ctx.committed.give()
        for one in servers:
            one.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    log.info("hub.started", hub=hub.ctx.identity.hub, url=config.server.url())
    public, local = servers
    async with told_to_systemd(servers, _progress(hub)):
        await asyncio.gather(serve_on(public, listener), local.serve())


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


def _tcp_server(config: Config, app: Any, guard: Guard, quick: Quick | None) -> uvicorn.Server:
    server = config.server
    settings = uvicorn.Config(
        app,
        ssl_certfile=server.tls_cert or None,
        ssl_keyfile=server.tls_key or None,
        **(common_settings() | bounded_settings(guard, quick) | socket_settings(MESSAGE_BYTES_MAX)),
    )
    return BoundedServer(settings, guard)


def _socket_server(config: Config, app: Any) -> uvicorn.Server:
    path = make_room(config)
    old = os.umask(0o177)
    try:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
    finally:
        os.umask(old)
    path.chmod(0o600)
    return _QuietServer(uvicorn.Config(app, fd=listener.detach(), **common_settings()))


def common_settings() -> dict[str, Any]:
    """Give the settings that every server of ours has."""
    return {
        "http": StrictHttp,
        "ws": "none",
        "loop": "none",
        "lifespan": "off",
        "access_log": False,
        "log_config": None,
        "server_header": False,
        "date_header": True,
        "timeout_graceful_shutdown": _GRACE_SECONDS,
        "timeout_keep_alive": 30,
        "backlog": 2048,
        "proxy_headers": False,
    }


def socket_settings(message_bytes_max: int) -> dict[str, Any]:
    """Give the settings of a server that takes WebSockets, whose messages are never compressed."""
    return {
        "ws": "farthing.web.placed_socket:PlacedSocket",
        "ws_max_size": message_bytes_max,
        "ws_ping_interval": 20.0,
        "ws_ping_timeout": 20.0,
        "ws_per_message_deflate": False,
    }


def bounded_settings(guard: Guard, quick: Quick | None = None) -> dict[str, Any]:
    """Give the settings of a server whose connections are bounded, and so its requests.

    Shape: `quick` answers plain requests at once.
    """
    http = quickly(guard, quick) if quick is not None else guarded(guard)
    return {"http": http, "limit_concurrency": guard.places.most}
