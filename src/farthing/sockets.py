"""The hub's own socket, by which commands and sellers on the same machine reach it."""

import hashlib
import os
import socket
import stat
import tempfile
from pathlib import Path

from farthing.errors import BadConfig
from farthing.settings import Config

NAME = "hub.sock"
_PATH_BYTES_MAX = 100
"""A socket's path has room for 108 bytes on Linux and 104 elsewhere, the closing zero included."""


def socket_path(config: Config) -> Path:
    """Give the path of the hub's own socket: in its folder, or in a short one named after it.

    Raises: BadConfig `socket-folder-not-ours`.
    """
    path = config.path(NAME)
    if len(os.fsencode(path)) <= _PATH_BYTES_MAX:
        return path
    digest = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"farthing-{os.getuid()}-{digest}"
    _check_ours(folder)
    return folder / NAME


def make_room(config: Config) -> Path:
    """Give the path to listen on, with nothing there and its folder made.

    Raises: BadConfig `socket-folder-not-ours`.
    """
    path = socket_path(config)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    _check_ours(path.parent)
    path.unlink(missing_ok=True)
    return path


def clear_away(config: Config) -> None:
    """Remove the socket, and the folder that was made for it alone."""
    path = socket_path(config)
    path.unlink(missing_ok=True)
    if path != config.path(NAME):
        path.parent.rmdir()


def _check_ours(folder: Path) -> None:
    """Refuse a folder in a place that anybody may write to, unless it is ours alone."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise BadConfig("socket-folder-not-ours", f"{folder} is somebody else's; remove it")
    if folder.name.startswith("farthing-") and found.st_mode & 0o077:
        raise BadConfig("socket-folder-not-ours", f"{folder} is not ours alone; remove it")


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
