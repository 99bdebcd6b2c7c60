"""What a hub listens on: taken before anything is opened, and shared by all who serve it."""

import contextlib
import os
import socket
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from farthing.cli.listening import listen
from farthing.errors import BadConfig
from farthing.settings import Config
from farthing.sockets import clear_away, is_running, make_room
from farthing.web.metrics_page import read_address


@dataclass(frozen=True, slots=True)
class Places:
    """The hub's port, and an address for its metrics where one is configured."""

    public: socket.socket
    metrics: socket.socket | None


def take_places(config: Config) -> Places:
    """Take what the hub listens on.

    Raises: BadConfig `hub-running`, `address-in-use`, `address-unusable`, `metrics-address`.
    """
    if is_running(config):
        detail = "a hub uses this folder already; stop it, or give each its own with --config"
        raise BadConfig("hub-running", detail)
    shown_at = read_address(config.metrics.listen) if config.metrics.listen else None
    public = listen(config.server.host, config.server.port)
    return Places(public, listen(*shown_at) if shown_at else None)


@contextlib.contextmanager
def local_socket(config: Config) -> Generator[socket.socket]:
    """Listen on the hub's own socket, and remove it at the end."""
    listener = private_listener(make_room(config))
    try:
        with listener:
            yield listener
    finally:
        clear_away(config)


def private_listener(path: Path) -> socket.socket:
    """Bind a socket of this machine that nobody else may connect to, not even for a moment."""
    old = os.umask(0o177)
    try:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
    finally:
        os.umask(old)
    path.chmod(0o600)
    return listener
