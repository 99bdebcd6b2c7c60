"""`farthing proxy`: put prices on a web service without touching it."""

import asyncio
import signal
import socket
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
import uvicorn

from farthing import ids
from farthing.cli.listening import guard_of, listen, serve_on
from farthing.cli.notify import told_to_systemd
from farthing.cli.options import ConfigOption
from farthing.cli.running import run
from farthing.cli.server_settings import bounded_settings, common_settings, socket_settings
from farthing.cli.tls import tls_context
from farthing.config import load_config
from farthing.errors import BadConfig
from farthing.logs import configure_logs
from farthing.observe.seller_watch import SellerWatch
from farthing.observe.tracing import open_tracing
from farthing.selling import paywall
from farthing.services.metering import UNSETTLED_MAX, MeterLimits
from farthing.settings import LOOPBACK
from farthing.web.discovery import OPENAPI
from farthing.web.door import BoundedServer
from farthing.web.metrics_page import read_address, seller_page, served_beside
from farthing.web.paywall import Paywall
from farthing.web.proxy import ReverseProxy
from farthing.web.trust import Trust

log = structlog.get_logger()


def proxy(
    *,
    upstream: Annotated[str, typer.Option(help="The web service, such as http://127.0.0.1:8000.")],
    prices: Annotated[
        Path | None,
        typer.Option(help="The price file [the payee's offers in the hub].", dir_okay=False),
    ] = None,
    payee: Annotated[str, typer.Option(help="Who is paid where the file names none: acc_…")] = "",
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65535)] = 8403,
    hub: Annotated[
        str, typer.Option(help="A hub elsewhere; $FARTHING_KEY has your API key for it.")
    ] = "",
    realm: Annotated[str, typer.Option(help="The public host name of what you sell.")] = "",
    tls_cert: Annotated[str, typer.Option(help="A certificate chain (PEM).")] = "",
    tls_key: Annotated[str, typer.Option(help="Its private key (PEM).")] = "",
    trusted_proxy: Annotated[
        list[str] | None, typer.Option(help="The address of a proxy in front that does TLS.")
    ] = None,
    openapi: Annotated[
        str, typer.Option(help="Where the service has an OpenAPI document of its own.")
    ] = OPENAPI,
    meters: Annotated[
        Path | None,
        typer.Option(help="The file in which metered sessions are kept.", dir_okay=False),
    ] = None,
    unsettled_max: Annotated[
        int, typer.Option(help="Units that may be promised here and unknown to the hub.", min=0)
    ] = UNSETTLED_MAX,
    beyond: Annotated[
        int, typer.Option(help="Units that a session may owe past what it has promised.", min=0)
    ] = 0,
    metrics: Annotated[
        str, typer.Option(help="Also show metrics at an address of this machine: 127.0.0.1:9403.")
    ] = "",
    config: ConfigOption = None,
) -> None:
    """Sell what a web service answers: the price file says what costs how much.

    Example: farthing proxy --upstream http://127.0.0.1:8000 --prices prices.toml
    """
    if prices is None and not payee:
        raise BadConfig("nothing-priced", "give --prices FILE, or --payee acc_… for its offers")
    if payee:
        ids.number("acc", payee)  # An account that cannot be has no offers: all would be free.
    loaded = load_config(config)
    if host not in LOOPBACK and not (tls_cert and tls_key) and not trusted_proxy:
        raise BadConfig("tls-needed", f"listening on {host} needs --tls-cert and --tls-key")
    if bool(tls_cert) != bool(tls_key):
        raise BadConfig("tls-incomplete", "give both --tls-cert and --tls-key")
    if tls_cert:
        tls_context(tls_cert, tls_key)
    configure_logs(loaded.log.format, loaded.log.level)
    guard = guard_of(loaded, trusted_proxy or [], files_each=2)
    settings: dict[str, Any] = {
        "ssl_certfile": tls_cert or None,
        "ssl_keyfile": tls_key or None,
        **common_settings(),
        **bounded_settings(guard),
        **socket_settings(loaded.limits.socket_message_bytes_max),
    }
    shown_at = read_address(metrics) if metrics else None
    tracing = open_tracing(loaded.tracing.endpoint, "proxy", loaded.tracing.percent)
    watch = SellerWatch(tracing)
    front = ReverseProxy(
        upstream,
        socket_message_bytes_max=loaded.limits.socket_message_bytes_max,
        stall_seconds=loaded.limits.stall_seconds,
        trust=Trust(trusted_proxy or []),
        watch=watch,
    )
    wall = paywall(
        front,
        prices=prices,
        payee=payee,
        hub=hub,
        realm=realm or f"{host}:{port}",
        trusted_proxies=trusted_proxy or [],
        config=config,
        watch=watch,
        openapi=openapi,
        meters=meters,
        meter_limits=MeterLimits(beyond=beyond, unsettled_max=unsettled_max),
    )
    listener = listen(host, port)
    beside = listen(*shown_at) if shown_at else None
    scheme = "https" if tls_cert else "http"
    log.info("proxy.starting", upstream=upstream, url=f"{scheme}://{host}:{port}")
    if not wall.offers:
        hint = "check --payee: farthing offers list; or give a price file"
        log.warning("proxy.nothing_priced", payee=payee, hint=hint)
    server = BoundedServer(uvicorn.Config(wall, **settings), guard)
    run(_serve(wall, front, server, listener, watch, beside))


async def _serve(
    wall: Paywall,
    front: ReverseProxy,
    server: uvicorn.Server,
    listener: socket.socket,
    watch: SellerWatch,
    beside: socket.socket | None,
) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, wall.reload_prices)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, server)
    try:
        async with (
            served_beside(beside, seller_page(wall, watch), common_settings()),
            told_to_systemd([server], lambda: True),
        ):
            await serve_on(server, listener)
    finally:
        await wall.drain()
        await front.aclose()
        if watch.tracing is not None:
            await asyncio.to_thread(watch.tracing.close)


def _stop(server: uvicorn.Server) -> None:
    """Finish what was accepted; whoever asks a second time does not wait for that."""
    server.force_exit = server.should_exit
    server.should_exit = True
