"""`farthing proxy`: put prices on a web service without touching it."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Annotated, Any

import httpx
import structlog
import typer
import uvicorn

from farthing.app import key_ring
from farthing.cli.local import is_running, socket_path
from farthing.cli.serving import ConfigOption, common_settings
from farthing.config import Config, load_config
from farthing.errors import BadConfig, Unavailable
from farthing.logs import configure_logs
from farthing.money import Asset
from farthing.protocols.mpp import Mpp
from farthing.protocols.x402 import X402
from farthing.web.paywall import Paywall
from farthing.web.price_file import PriceBook
from farthing.web.proxy import ReverseProxy
from farthing.web.remote_hub import RemoteHub

log = structlog.get_logger()
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def proxy(
    *,
    upstream: Annotated[str, typer.Option(help="The web service, such as http://127.0.0.1:8000.")],
    prices: Annotated[Path, typer.Option(help="The price file.", exists=True, dir_okay=False)],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8403,
    hub: Annotated[
        str, typer.Option(help="A hub elsewhere; $FARTHING_KEY has your API key for it.")
    ] = "",
    realm: Annotated[str, typer.Option(help="The public host name of what you sell.")] = "",
    tls_cert: Annotated[str, typer.Option(help="A certificate chain (PEM).")] = "",
    tls_key: Annotated[str, typer.Option(help="Its private key (PEM).")] = "",
    trusted_proxy: Annotated[
        list[str] | None, typer.Option(help="The address of a proxy in front that does TLS.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Sell what a web service answers: the price file says what costs how much.

    Example: farthing proxy --upstream http://127.0.0.1:8000 --prices prices.toml
    """
    loaded = load_config(config)
    if host not in _LOOPBACK and not (tls_cert and tls_key) and not trusted_proxy:
        raise BadConfig("tls-needed", f"listening on {host} needs --tls-cert and --tls-key")
    configure_logs(loaded.log.format, loaded.log.level)
    settings = {
        "host": host,
        "port": port,
        "ssl_certfile": tls_cert or None,
        "ssl_keyfile": tls_key or None,
        **common_settings(),
    }
    shop = _Shop(loaded, upstream, prices, realm or f"{host}:{port}", trusted_proxy or [])
    asyncio.run(shop.run(hub, settings))


class _Shop:
    """A paywall in front of an upstream, and the hub behind it."""

    def __init__(
        self, config: Config, upstream: str, prices: Path, realm: str, proxies: list[str]
    ) -> None:
        self._config, self._upstream, self._prices = config, upstream, prices
        self._realm, self._proxies = realm, proxies

    async def run(self, hub_url: str, settings: dict[str, Any]) -> None:
        async with hub_client(self._config, hub_url) as client:
            identity, assets = await who_is(client)
            book = PriceBook(self._prices, assets)
            proxy = ReverseProxy(self._upstream)
            paywall = Paywall(
                proxy,
                hub=RemoteHub(client),
                hub_id=identity,
                languages=[Mpp(challenge_secrets(self._config)), X402()],
                assets=assets,
                prices=book,
                realm=self._realm,
                trusted_proxies=self._proxies,
            )
            watching = asyncio.create_task(book.watch())
            with contextlib.suppress(NotImplementedError):
                asyncio.get_running_loop().add_signal_handler(
                    signal.SIGHUP, lambda: book.refresh(force=True)
                )
            log.info("proxy.started", upstream=self._upstream, port=settings["port"])
            try:
                await uvicorn.Server(uvicorn.Config(paywall, **settings)).serve()
            finally:
                watching.cancel()
                await proxy.aclose()


def hub_client(config: Config, hub_url: str) -> httpx.AsyncClient:
    """Give a client for the hub: one elsewhere with an API key, or this machine's by its socket.

    Raises: BadConfig, Unavailable.
    """
    if hub_url:
        key = os.environ.get("FARTHING_KEY", "")
        if not key:
            raise BadConfig("key-missing", "put your API key into the variable FARTHING_KEY")
        headers = {"authorization": f"Bearer {key}"}
        return httpx.AsyncClient(base_url=hub_url, headers=headers, timeout=10)
    if not is_running(config):
        raise Unavailable("hub-not-running", "start it first: farthing serve (or give --hub URL)")
    transport = httpx.AsyncHTTPTransport(
        uds=str(socket_path(config)), limits=httpx.Limits(max_connections=256)
    )
    return httpx.AsyncClient(transport=transport, base_url="http://farthing.local", timeout=10)


async def who_is(client: httpx.AsyncClient) -> tuple[str, dict[str, Asset]]:
    """Ask a hub who it is and what it counts.

    Raises: Unavailable.
    """
    try:
        answer = await client.get("/.well-known/farthing")
        told = answer.raise_for_status().json()
        return told["hub"], {a["code"]: Asset(a["code"], a["scale"]) for a in told["assets"]}
    except (httpx.HTTPError, KeyError, ValueError, TypeError):
        raise Unavailable("hub-unreachable", "the hub does not say who it is") from None


def challenge_secrets(config: Config) -> list[bytes]:
    """Give the secrets that bind challenges: the hub's here, else a seller's own."""
    ring = key_ring(config)
    if not (ring.folder / "challenge.key").exists():
        ring.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ring.rotate_challenge_secret()
    return ring.challenge_secrets()
