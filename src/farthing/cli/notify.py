"""Telling systemd that a service is ready, alive or stopping, where it asks to be told.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Protocol

_ADDRESS, _WATCHDOG, _WATCHED_PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
_LOOK_SECONDS = 0.1


class Server(Protocol):
    """What is known of a server. Shape: `should_exit` is set as soon as it is told to stop."""

    started: bool
    should_exit: bool


def notify(state: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Send a state such as `READY=1`, and tell whether anybody had asked for it."""
    address = environ.get(_ADDRESS, "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]  # An abstract address begins with a zero.
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.setblocking(False)  # A full queue must not stop the payments.
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


Tell = Callable[[str], object]
"""Told `READY=1`, `WATCHDOG=1` and `STOPPING=1`."""


@contextlib.asynccontextmanager
async def told_to_systemd(
    servers: Sequence[Server],
    is_alive: Callable[[], bool],
    environ: Mapping[str, str] = os.environ,
) -> AsyncGenerator[None]:
    """Say `READY` once all servers have started, that we live as long as `is_alive` says so, and
    `STOPPING` as soon as a server is told to stop.
    """
    if not environ.get(_ADDRESS):
        yield
        return

    def tell(state: str) -> bool:
        return notify(state, environ)

    async with told(servers, is_alive, tell, beat_seconds(environ)):
        yield


@contextlib.asynccontextmanager
async def told(
    servers: Sequence[Server], is_alive: Callable[[], bool], tell: Tell, seconds: float
) -> AsyncGenerator[None]:
    """Tell the same to somebody else.

    Units: `seconds` is how often it is told that we live; 0 if not at all.
    """
    telling = asyncio.create_task(_tell(servers, is_alive, tell, seconds))
    try:
        yield
    finally:
        telling.cancel()
        tell("STOPPING=1")


async def _tell(
    servers: Sequence[Server], is_alive: Callable[[], bool], tell: Tell, seconds: float
) -> None:
    while not all(server.started for server in servers):  # noqa: ASYNC110 - uvicorn tells nobody
        await asyncio.sleep(_LOOK_SECONDS)
    tell("READY=1")
    beating = asyncio.create_task(_beat(is_alive, tell, seconds))
    try:
        while not any(server.should_exit for server in servers):  # noqa: ASYNC110 - nor here
            await asyncio.sleep(_LOOK_SECONDS)
        tell("STOPPING=1")
    finally:
        beating.cancel()


async def _beat(is_alive: Callable[[], bool], tell: Tell, seconds: float) -> None:
    while seconds:
        if is_alive():
            tell("WATCHDOG=1")
        await asyncio.sleep(seconds)
