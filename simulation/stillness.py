"""Takes this process's clocks, threads and randomness away, and gives it seeded ones instead.

It has to be done before anything of Farthing is imported: modules take such functions by name.
What is new in the hub is thereby in the simulation without being listed here.
"""

import asyncio
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar, TypeVarTuple

import anyio.to_thread

T = TypeVar("T")
Given = TypeVarTuple("Given")

real_seconds, processor_seconds = time.monotonic, time.process_time
"""The machine's own clocks, to tell how long a run takes; nothing of the story may read them."""

NS = 1_000_000_000
START_NS = 1_800_000_000 * NS


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


class Stillness:
    """What the process reads instead of clocks, and what it draws from instead of the system."""

    def __init__(self) -> None:
        self.seconds: Callable[[], float] = float
        self.luck = random.Random(0)
        self.free_bytes = 1 << 40

    def now_ns(self) -> int:
        """Tell the time of the story, as Unix nanoseconds."""
        return START_NS + round(self.seconds() * NS)

    def time(self) -> float:
        """Tell the same in seconds."""
        return self.now_ns() / NS

    def passed(self) -> float:
        """Tell how long the story has gone on, in seconds."""
        return self.seconds()

    def passed_ns(self) -> int:
        """Tell the same in nanoseconds."""
        return round(self.seconds() * NS)

    def drawn(self, size: int) -> bytes:
        """Draw bytes."""
        return self.luck.randbytes(size)

    def usage(self, _path: object) -> _Usage:
        """Tell how much room there is."""
        return _Usage(1 << 40, 0, self.free_bytes)

    def begin(self, seed: int, seconds: Callable[[], float]) -> None:
        """Begin a story: everything that is drawn from now on follows from the seed."""
        self.luck, self.seconds = random.Random(f"system {seed}"), seconds
        random.seed(f"random {seed}")


STILL = Stillness()


def exact_process(arguments: Sequence[str]) -> None:
    """Start this process anew if it would order sets of texts differently each time."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "simulation", *arguments])


async def _at_a_turn(work: Callable[[*Given], T], *given: *Given, **_how: Any) -> T:
    """Do what a client would have a thread do."""
    return await asyncio.get_running_loop().run_in_executor(None, work, *given)


def install() -> None:
    """Replace clocks, threads, randomness, and what the disk says of its room."""
    anyio.to_thread.run_sync = _at_a_turn
    time.time, time.time_ns = STILL.time, STILL.now_ns
    time.monotonic = time.perf_counter = STILL.passed
    time.monotonic_ns = time.perf_counter_ns = STILL.passed_ns
    os.urandom = STILL.drawn
    setattr(random, "_urandom", STILL.drawn)  # noqa: B010 - `SystemRandom` draws from it
    setattr(shutil, "disk_usage", STILL.usage)  # noqa: B010 - it says less of itself than theirs
