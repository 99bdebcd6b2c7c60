"""Where a server listens: looked at before anything is opened, so that a fault costs nothing."""

import contextlib
import errno
import socket

import uvicorn

from farthing.cli.tls import tls_context
from farthing.errors import BadConfig

_BACKLOG = 2048


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


async def serve_on(server: uvicorn.Server, listener: socket.socket) -> None:
    """Serve on a socket that was taken before, and close it at the end; TLS is our own kind."""
    config = server.config
    if config.ssl_certfile and config.ssl_keyfile:
        config.load()
        config.ssl = tls_context(str(config.ssl_certfile), str(config.ssl_keyfile))
    with contextlib.closing(listener):
        await server.serve(sockets=[listener])
