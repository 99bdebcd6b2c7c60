"""How a process that serves runs: on uvloop where there is one, with a calm collector, and in huge
pages.
"""

import asyncio
from collections.abc import Callable, Coroutine
from importlib.util import find_spec
from typing import Any

from farthing.collecting import calm_collector
from farthing.huge_pages import huge_pages


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a server to its end."""
    calm_collector()
    huge_pages()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if find_spec("uvloop") is None:
        return None
    from uvloop import new_event_loop  # noqa: PLC0415 - not on every system

    return new_event_loop
