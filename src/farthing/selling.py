"""Selling in a few lines: a paywall that is connected to a hub, for any ASGI app."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec

from farthing.asking import LIST_BYTES_MAX, ask_now
from farthing.clock import system_clock
from farthing.config import load_config
from farthing.device.hub_calls import check_private
from farthing.errors import BadConfig, InvariantBroken, Malformed, Unavailable
from farthing.folders import private_folder
from farthing.money import Asset
from farthing.opening import key_ring
from farthing.protocols.mpp import Mpp
from farthing.protocols.mpp_session import MppSessions
from farthing.protocols.x402 import X402
from farthing.services.metering import Metering, MeterLimits
from farthing.services.watch import UNWATCHED, Watch
from farthing.settings import Config
from farthing.sockets import is_running, socket_path
from farthing.store.meter_book import MeterBook
from farthing.terminal.typed import without_userinfo
from farthing.threads import Threads
from farthing.web.asgi import App
from farthing.web.discovery import OPENAPI
from farthing.web.hub_offers import HubOffers, read_items
from farthing.web.limits import Limits
from farthing.web.metered_till import MeteredTill
from farthing.web.paywall import Paywall
from farthing.web.price_file import PriceBook
from farthing.web.remote_hub import RemoteHub
from farthing.web.remote_sessions import RemoteSessions

_TIMEOUT_SECONDS = 10
_CONNECTIONS_MAX = 256
_TRIES, _PAUSE_SECONDS = 30, 0.1
_VERIFIERS = 2
_LOCAL = "http://farthing.local"


def paywall(
    app: App | None = None,
    *,
    payee: str = "",
    prices: str | Path | None = None,
    hub: str = "",
    key: str = "",
    realm: str = "localhost",
    trusted_proxies: Sequence[str] = (),
    limits: Limits | None = None,
    config: Path | None = None,
    watch: Watch = UNWATCHED,
    openapi: str = OPENAPI,
    meters: str | Path | None = None,
    meter_limits: MeterLimits | None = None,
) -> Paywall:
    """Put prices on an ASGI app, paid through a hub.

    Shape:  without `hub` it is this machine's own, found by its socket; with a URL, `key` or
            $FARTHING_KEY is your API key. `prices` is a price file; without one the prices are
            the payee's offers in the hub, and those of `@paywall.price(…)`. `payee` is the
            account that is paid where the file names none; `watch` is a `SellerWatch`; `openapi`
            is where the app has a document of its own; `meters` is the file in which what is sold
            by sessions is kept, and `meter_limits` how far payers are trusted.
    Raises: BadConfig, BadPriceFile, Unavailable when the hub does not answer.
    """
    settings = load_config(config)
    with first_client(settings, hub, key) as first:
        identity, assets = who_is(first)
        offers = [] if prices is not None else offers_now(first)
    client = hub_client(settings, hub, key)
    secrets = challenge_secrets(settings)
    return Paywall(
        app,
        hub=RemoteHub(client, watch),
        hub_id=identity,
        languages=[Mpp(secrets), X402()],
        assets=assets,
        prices=(
            PriceBook(Path(prices), assets)
            if prices is not None
            else HubOffers(client, payee, assets, offers)
        ),
        realm=realm,
        payee=payee,
        trusted_proxies=trusted_proxies,
        limits=limits or Limits(challenge_seconds=settings.payments.challenge_seconds),
        watch=watch,
        openapi=openapi,
        meters=None if meters is None else metered(client, meters, secrets, assets, meter_limits),
    )


def metered(
    client: httpx.AsyncClient,
    book: str | Path,
    secrets: Sequence[bytes],
    assets: Mapping[str, Asset],
    limits: MeterLimits | None = None,
) -> MeteredTill:
    """Meter with a file of one's own: it has one process, which may be killed at any time.

    Raises: Unavailable `store-locked`; BadConfig.
    """
    writer, verifiers = Threads(1), Threads(_VERIFIERS)
    metering = Metering(
        RemoteSessions(client),
        MeterBook(Path(book), writer),
        verifiers=verifiers,
        writer=writer,
        clock=system_clock,
        limits=limits,
    )
    return MeteredTill(metering, MppSessions(secrets), assets, system_clock)


def hub_client(config: Config, hub: str = "", key: str = "") -> httpx.AsyncClient:
    """Give a client for a hub: one elsewhere with an API key, or this machine's by its socket.

    Raises: BadConfig `key-missing`; Malformed `not-private`; Unavailable `hub-not-running`.
    """
    if hub:
        return httpx.AsyncClient(
            base_url=_private(hub),
            headers=_bearer(key),
            timeout=_TIMEOUT_SECONDS,
            limits=_limits(),
        )
    transport = httpx.AsyncHTTPTransport(uds=_socket(config), limits=_limits())
    return httpx.AsyncClient(transport=transport, base_url=_LOCAL, timeout=_TIMEOUT_SECONDS)


def first_client(config: Config, hub: str = "", key: str = "") -> httpx.Client:
    """Give a client for what has to be asked before anything can be sold.

    Raises: BadConfig, Unavailable.
    """
    if hub:
        return httpx.Client(base_url=_private(hub), headers=_bearer(key), timeout=_TIMEOUT_SECONDS)
    transport = httpx.HTTPTransport(uds=_socket(config))
    return httpx.Client(base_url=_LOCAL, transport=transport, timeout=_TIMEOUT_SECONDS)


class _Counted(msgspec.Struct, frozen=True):
    """An asset, as a hub tells of it."""

    code: str
    scale: int


class _WhoItIs(msgspec.Struct, frozen=True):
    """What a seller needs to know of a hub."""

    hub: str
    assets: list[_Counted]


def who_is(client: httpx.Client) -> tuple[str, dict[str, Asset]]:
    """Ask a hub for its id and the assets it counts.

    Raises: Unavailable `hub-unreachable`; Malformed `malformed-answer`.
    """
    try:
        told = msgspec.convert(_told(client, "/.well-known/farthing"), _WhoItIs)
        return told.hub, {each.code: Asset(each.code, each.scale) for each in told.assets}
    except (msgspec.ValidationError, InvariantBroken):
        detail = "what answers there does not say which hub it is, and what it counts"
        raise Malformed("malformed-answer", detail) from None


def offers_now(client: httpx.Client) -> list[dict[str, Any]]:
    """Ask a hub for the offers that this seller may see.

    Raises: Unavailable `hub-unreachable`; Malformed `malformed-page`.
    """
    return read_items(_told(client, "/v1/offers?limit=500"))


def _told(client: httpx.Client, path: str) -> Any:
    try:
        return ask_now(client, path, LIST_BYTES_MAX).raise_for_status().json()
    except (httpx.HTTPError, ValueError) as problem:
        raise Unavailable("hub-unreachable", f"the hub does not answer: {problem}") from None


def challenge_secrets(config: Config) -> list[bytes]:
    """Give the secrets that bind challenges: the hub's here, else this seller's own."""
    ring = key_ring(config)
    if not (ring.folder / "challenge.key").exists():
        private_folder(ring.folder)
        ring.rotate_challenge_secret()
    return ring.challenge_secrets()


def _private(hub: str) -> str:
    """Refuse to send an API key where others could read it.

    Raises: Malformed `not-private`, `malformed-option`.
    """
    try:
        check_private(httpx.URL(without_userinfo(hub)), plain_http=False)
    except httpx.InvalidURL:
        raise Malformed("malformed-option", f"{hub!r} is not a URL") from None
    return hub


def _bearer(key: str) -> dict[str, str]:
    secret = key or os.environ.get("FARTHING_KEY", "")
    if not secret:
        raise BadConfig("key-missing", "put your API key into the variable FARTHING_KEY")
    return {"authorization": f"Bearer {secret}"}


def _socket(config: Config) -> str:
    for _ in range(_TRIES):  # It may just be starting.
        if is_running(config):
            break
        time.sleep(_PAUSE_SECONDS)
    else:
        raise Unavailable("hub-not-running", "start it first: farthing serve (or name a hub's URL)")
    return str(socket_path(config))


def _limits() -> httpx.Limits:
    return httpx.Limits(
        max_connections=_CONNECTIONS_MAX, max_keepalive_connections=_CONNECTIONS_MAX
    )
