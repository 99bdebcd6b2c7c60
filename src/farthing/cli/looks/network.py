"""The network: what the hub listens on, whether it answers there, and who answers at its URL."""

import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509

from farthing.asking import ask_now
from farthing.bounded import read_file
from farthing.cli.looks import Finding, State
from farthing.cli.looks.clock import beside
from farthing.cli.serving import check_exposure
from farthing.cli.tls import tls_context
from farthing.codec import read_json
from farthing.errors import FarthingError
from farthing.keys import fingerprint
from farthing.opening import key_ring
from farthing.settings import Config
from farthing.sockets import is_running

_CERTIFICATE_DAYS_MIN = 14
_SECONDS = 5
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked at loopback instead


def listening(config: Config) -> Iterator[Finding]:
    """Look at address and certificate, as `farthing serve` will."""
    server = config.server
    check_exposure(config)
    if not server.tls_cert:
        yield Finding("network", "ok", f"{server.host}:{server.port}, no TLS of its own")
        return
    tls_context(server.tls_cert, server.tls_key)
    certificate = x509.load_pem_x509_certificate(read_file(Path(server.tls_cert)))
    days = (certificate.not_valid_after_utc - datetime.now(UTC)).days
    state: State = "fail" if days < 0 else "warn" if days < _CERTIFICATE_DAYS_MIN else "ok"
    yield Finding("certificate", state, f"{days} days left, {ssl.OPENSSL_VERSION}", "renew it")


def hub(config: Config) -> Iterator[Finding]:
    """Ask the hub on this machine whether it can take payments."""
    server = config.server
    if not is_running(config):
        yield Finding("hub", "ok", "not running; start it with farthing serve")
        return
    if not server.port:
        yield Finding("hub", "ok", "running, at a port that the system chose")
        return
    host = _EVERYWHERE.get(server.host, server.host)
    host = f"[{host}]" if ":" in host else host
    url = f"{'https' if server.tls_cert else 'http'}://{host}:{server.port}/readyz"
    try:
        # Its certificate is for another name, and was looked at before.
        with httpx.Client(timeout=_SECONDS, verify=not server.tls_cert) as client:
            answer = ask_now(client, url)
    except httpx.HTTPError as fault:
        do = "it has a socket but no port: check [server] host and port"
        yield Finding("hub", "fail", f"{url}: {fault}", do)
        return
    state: State = "ok" if answer.is_success else "fail"
    yield Finding("hub", state, f"{url}: {answer.text.strip()}", "look into its log")


def public_url(config: Config) -> Iterator[Finding]:
    """Ask who answers at the public URL, and what time it is there."""
    url = config.server.public_url.rstrip("/")
    if not url:
        return
    do = "check [server] public_url, its name, its certificate, and the proxy in front"
    try:
        with httpx.Client(timeout=_SECONDS) as client:
            answer = ask_now(client, f"{url}/.well-known/farthing")
    except (httpx.HTTPError, httpx.InvalidURL) as fault:
        state: State = "fail" if is_running(config) else "warn"
        yield Finding("public url", state, f"{url}: {fault}", do)
        return
    told = _hub_in(answer)
    ours = fingerprint(key_ring(config).root_public())
    if told != ours:
        seen = f"{url} is {f'the hub {told}' if told else 'no hub'}, and this is {ours}"
        yield Finding("public url", "fail", seen, do)
        return
    yield Finding("public url", "ok", f"{url} is this hub")
    theirs = _date_in(answer)
    if theirs:
        yield beside(answer.url.host, theirs, time.time())


def _hub_in(answer: httpx.Response) -> str:
    try:
        told: Any = read_json(answer.content)
    except FarthingError:
        return ""
    return str(told.get("hub", "")) if isinstance(told, dict) else ""  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def _date_in(answer: httpx.Response) -> float:
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except ValueError:
        return 0.0
