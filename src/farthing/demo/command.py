"""`farthing demo`: what is shown while it runs, what is printed at its end, and how it ends."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncGenerator, Callable

from rich.console import Console
from rich.live import Live

from farthing.demo.lines import Lines
from farthing.demo.stage import Demo
from farthing.demo.summary import summary
from farthing.demo.tally import Tally
from farthing.demo.view import frame
from farthing.logs import configure_logs

_FRAME_SECONDS = 0.2
_INTERRUPTED = 130


def run_demo(seconds: int, *, as_json: bool) -> int:
    """Run the demo, and give the exit code.

    Shape: 0 when the books are right and the receipt holds, also after Ctrl-C; 1 when not; 130
           when it was interrupted before anything was paid, or twice.
    """
    configure_logs("text", "error")
    # With --json people read stderr, and stdout has nothing but the object.
    console = Console(stderr=as_json, highlight=False)
    try:
        return asyncio.run(_run(Demo(seconds), console, as_json=as_json))
    except KeyboardInterrupt:
        return _INTERRUPTED


async def _run(demo: Demo, console: Console, *, as_json: bool) -> int:
    interrupted = _on_signals(demo.stop)
    async with demo, showing(demo.tally, console):
        result = await demo.run()
    if interrupted() and not demo.tally.payments:
        return _INTERRUPTED
    console.print(summary(demo.tally, result))
    if as_json:
        print(json.dumps(result.members()), flush=True)
    return 0 if result.ok else 1


def _on_signals(stop: asyncio.Event) -> Callable[[], bool]:
    """End the run at the first signal, and break off at the second."""
    loop = asyncio.get_running_loop()
    heard: list[int] = []

    def hear(number: int) -> None:
        heard.append(number)
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, hear, number)
    return lambda: bool(heard)


def is_plain(console: Console) -> bool:
    """Tell whether to write lines instead of a picture."""
    return not console.is_terminal or console.is_dumb_terminal or "NO_COLOR" in os.environ


@contextlib.asynccontextmanager
async def showing(tally: Tally, console: Console) -> AsyncGenerator[None]:
    """Show what happens while the body runs."""
    with contextlib.ExitStack() as stack:
        if is_plain(console):
            look = Lines(tally, lambda text: console.print(text, soft_wrap=True)).look
        else:
            live = stack.enter_context(Live(console=console, screen=True, auto_refresh=False))

            def look() -> None:
                live.update(frame(tally, console.width, console.height), refresh=True)

        task = asyncio.create_task(_again(look))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            look()


async def _again(look: Callable[[], None]) -> None:
    while True:
        look()
        await asyncio.sleep(_FRAME_SECONDS)
