"""Ports for processes that tests start: none of those that the system gives to whoever connects.

Between the choice of a port and its use, and while a hub is killed and started again, anybody's
connection could have got it. Each worker of a run has a thousand of its own.
"""

import contextlib
import itertools
import os
import secrets
import socket

_FIRST, _EACH, _WORKERS = 20_000, 1_000, 12
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
_START = secrets.randbelow(_EACH)
_TURNS = itertools.cycle(
    _FIRST + _WORKER * _EACH + (_START + turn) % _EACH for turn in range(_EACH)
)


def free_port() -> int:
    """Give a port that nobody listens on, another one each time."""
    for port in itertools.islice(_TURNS, _EACH):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")
