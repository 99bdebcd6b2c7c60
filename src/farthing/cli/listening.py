"""Where a server listens: looked at before anything is opened, so that a fault costs nothing."""

import contextlib
import errno
import socket
import ssl
from pathlib import Path

import uvicorn

from farthing.errors import BadConfig

_BACKLOG = 2048


def check_certificate(certificate: str, key: str) -> None:
    """Read a certificate and its key, as the server will.

    Raises: BadConfig `tls-unusable`, naming the file that is missing.
    """
    for file in (certificate, key):
        try:
            Path(file).read_bytes()
        except OSError as fault:
            raise BadConfig("tls-unusable", f"{file}: {fault.strerror}") from None
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    except ssl.SSLError as fault:
        detail = f"{certificate} and {key} are no certificate and its key: {fault.reason or fault}"
        raise BadConfig("tls-unusable", detail) from None


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
    """Serve on a socket that was taken before, and close it at the end."""
    with contextlib.closing(listener):
        await server.serve(sockets=[listener])
