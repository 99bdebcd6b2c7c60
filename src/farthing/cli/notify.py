"""Telling systemd that a service is ready, alive or stopping, where it asks to be told.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncGenerator, Callable, Mapping

_ADDRESS, _WATCHDOG, _WATCHED_PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"


def notify(state: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Send a state such as `READY=1`, and tell whether anybody had asked for it."""
    address = environ.get(_ADDRESS, "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]  # An abstract address begins with a zero.
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.connect(address)
            sender.sendall(state.encode())
        except OSError:
            return False
    return True


def beat_seconds(environ: Mapping[str, str] = os.environ) -> float:
    """Give how often we must say that we are alive: half the time asked for; 0 if not at all."""
    asked = environ.get(_WATCHDOG, "")
    ours = environ.get(_WATCHED_PID, "") in ("", str(os.getpid()))
    if not (ours and asked.isascii() and asked.isdigit()):
        return 0
    return int(asked) / 2_000_000


@contextlib.asynccontextmanager
async def told_to_systemd(
    is_alive: Callable[[], bool], environ: Mapping[str, str] = os.environ
) -> AsyncGenerator[None]:
    """Say `READY`, then that we live as long as `is_alive` says so, and `STOPPING` at the end."""
    notify("READY=1", environ)
    beating = asyncio.create_task(_beat(is_alive, environ))
    try:
        yield
    finally:
        beating.cancel()
        notify("STOPPING=1", environ)


async def _beat(is_alive: Callable[[], bool], environ: Mapping[str, str]) -> None:
    seconds = beat_seconds(environ)
    while seconds:
        if is_alive():
            notify("WATCHDOG=1", environ)
        await asyncio.sleep(seconds)
