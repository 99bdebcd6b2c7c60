"""The hub's own socket, by which commands and sellers on the same machine reach it."""

import socket
from pathlib import Path

from farthing.config import Config

NAME = "hub.sock"


def socket_path(config: Config) -> Path:
    """Give the path of the hub's own socket."""
    return config.path(NAME)


def is_running(config: Config) -> bool:
    """Tell whether a hub listens on its socket."""
    path = socket_path(config)
    if not path.exists():
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
