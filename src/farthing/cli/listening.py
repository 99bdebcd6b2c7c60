"""Where a server listens: looked at before anything is opened, so that a fault costs nothing."""

import contextlib
import errno
import resource
import socket
from collections.abc import Sequence

import structlog
import uvicorn

from farthing.cli.tls import tls_context
from farthing.errors import BadConfig
from farthing.settings import Config
from farthing.web.guard import Guard
from farthing.web.trust import Trust

log = structlog.get_logger()

_BACKLOG = 2048
_OTHER_FILES = 512
"""Files for all else: the books, the log, connections to a hub and to an upstream."""


def listen(host: str, port: int) -> socket.socket:
    """Take an address to listen on.

    Raises: BadConfig `address-in-use`, `address-unusable`.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as fault:
        if fault.errno == errno.EADDRINUSE:
            detail = f"something listens on {host}:{port} already; choose another --port"
            raise BadConfig("address-in-use", detail) from None
        why = fault.strerror or str(fault)
        raise BadConfig("address-unusable", f"cannot listen on {host}:{port}: {why}") from None


def guard_of(config: Config, trusted_proxies: Sequence[str], files_each: int = 1) -> Guard:
    """Give the bounds of a server, no more connections than it may open files for.

    Units: `files_each` is how many files a connection may need.
    """
    limits = config.limits
    wanted = config.server.connections_max
    places = min(wanted, (open_files(wanted * files_each + _OTHER_FILES) - 256) // files_each)
    if places < wanted:
        hint = "raise the limit of open files (ulimit -n, LimitNOFILE)"
        log.warning("connections.fewer", wanted=wanted, places=places, hint=hint)
    return Guard(
        connections_max=max(places, 1),
        per_address_max=limits.connections_per_address,
        requests_bytes_max=limits.requests_bytes_max,
        answers_bytes_max=limits.answers_bytes_max,
        stall_seconds=limits.stall_seconds,
        trust=Trust(trusted_proxies),
    )


def open_files(wanted: int) -> int:
    """Ask to be allowed so many open files, and tell how many are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else soft


async def serve_on(server: uvicorn.Server, listener: socket.socket) -> None:
    """Serve on a socket that was taken before, and close it at the end; TLS is our own kind."""
    config = server.config
    if config.ssl_certfile and config.ssl_keyfile:
        config.load()
        config.ssl = tls_context(str(config.ssl_certfile), str(config.ssl_keyfile))
    with contextlib.closing(listener):
        await server.serve(sockets=[listener])
