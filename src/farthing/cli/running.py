"""How a process that serves runs: on uvloop where there is one, and with a calm collector."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from importlib.util import find_spec
from typing import Any

_GARBAGE_THRESHOLDS = (50_000, 20, 50)
"""Python's own (700, 10, 10) walks over everything kept in memory many times a second."""


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a server to its end."""
    calm_collector()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main)


def calm_collector() -> None:
    """Look for garbage seldom, and never among what was imported."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE_THRESHOLDS)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if find_spec("uvloop") is None:
        return None
    from uvloop import new_event_loop  # noqa: PLC0415 - not on every system

    return new_event_loop
