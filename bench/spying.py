"""Looking at a hub while it works: py-spy writes stacks down; here they are read and counted."""

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.processes import PATIENCE_SECONDS
from bench.stages import WRITER, stage_of, thread_of

_PY_SPY = Path(sys.executable).with_name("py-spy")
_THREAD = re.compile(r"thread \((\d+)\): (.*)")
_CALL = re.compile(r"(.*) \((.*):\d+\)")


class Sample(NamedTuple):
    """How often a thread was seen in a stack. Shape: calls are (file, function), innermost last."""

    tid: int
    thread: str
    calls: Sequence[tuple[str, str]]
    times: int


class Seen(NamedTuple):
    """What one look saw: the samples, and how often it looked."""

    samples: Sequence[Sample]
    looks: int

    def beside(self, writers: Sequence[Sample]) -> "Seen":
        """Add what was seen at the same time of processes that do nothing but write."""
        return Seen([*self.samples, *(one._replace(thread=WRITER) for one in writers)], self.looks)


def look(pid: int, seconds: float, rate: int, *options: str) -> Seen:
    """Write down the stacks of a process for some seconds.

    Raises: RuntimeError where py-spy may not look or saw nothing.
    """
    whole = max(1, round(seconds))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stacks"
        command = [
            str(_PY_SPY),
            "record",
            "--pid",
            str(pid),
            "--duration",
            str(whole),
            "--function",
        ]
        command += ["--rate", str(rate), "--format", "raw", "--threads", "--output", str(file)]
        done = subprocess.run(
            [*command, *options], capture_output=True, text=True,
            timeout=whole + PATIENCE_SECONDS, check=False,
        )  # fmt: skip
        if done.returncode or not file.exists():
            raise RuntimeError(f"py-spy could not look: {done.stderr.strip()}")
        return Seen(list(read(file.read_text().splitlines())), whole * rate)


def read(lines: Iterable[str]) -> Iterable[Sample]:
    """Read what py-spy writes as `raw`."""
    for line in lines:
        stack, _, count = line.rpartition(" ")
        first, *rest = stack.split(";")
        named = _THREAD.fullmatch(first)
        if named is None:
            raise RuntimeError(f"not a stack with its thread: {line[:80]}")
        calls = [found.groups() for call in rest if (found := _CALL.fullmatch(call))]
        yield Sample(
            int(named[1]), named[2], [(file, function) for function, file in calls], int(count)
        )


Stages = Counter[tuple[str, str]]
"""A number for each (thread, stage)."""


def by_count(seen: Seen) -> Stages:
    """Count samples by stage."""
    counted: Stages = Counter()
    for sample in seen.samples:
        thread = thread_of(sample.thread)
        counted[thread.shown, stage_of(thread, sample.calls)] += sample.times
    return counted


def by_cpu(seen: Seen, cpu_seconds: dict[int, float]) -> dict[tuple[str, str], float]:
    """Share out each thread's CPU seconds by what it was seen doing.

    Shape: a thread that has work and waits for a core looks like one that works; what the system
           says it took of the processor is therefore what is shared out.
    """
    totals = Counter[int]()
    for sample in seen.samples:
        totals[sample.tid] += sample.times
    shared: dict[tuple[str, str], float] = {}
    for sample in seen.samples:
        thread = thread_of(sample.thread)
        place = thread.shown, stage_of(thread, sample.calls)
        part = cpu_seconds.get(sample.tid, 0) * sample.times / totals[sample.tid]
        shared[place] = shared.get(place, 0) + part
    return shared


def innermost(seen: Seen, most: int) -> list[tuple[str, int]]:
    """List the functions of ours that were seen innermost most often."""
    counted: Counter[str] = Counter()
    for sample in seen.samples:
        ours = [f"{function} ({file})" for file, function in sample.calls if "farthing" in file]
        if ours:
            counted[ours[-1]] += sample.times
    return counted.most_common(most)
