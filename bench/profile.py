"""`make bench-profile`: where a payment's time goes, stage by stage, seen by py-spy from outside.

`make bench-profile ARGS="--only single-64 --top 20"`; `--json` for machines. While a real hub is
paid, py-spy looks three times: at what runs, at who holds Python's interpreter, and at every
thread whether it runs or waits. Looking costs a little: compare stages, and take rates from
`make bench`. Another copy of the code is measured with `PYTHONPATH=../other/src`.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import psutil
from rich.console import Console
from rich.table import Table

from bench.batches import batch_job
from bench.engines import ENGINES, new_hub
from bench.figures import Figure
from bench.fleet import Fleet, furnish
from bench.load import Job
from bench.machine import describe
from bench.payments import single_job
from bench.processes import hub_of, measure
from bench.spying import Seen, by_count, by_cpu, innermost, look
from bench.stages import THREADS

JOBS: dict[str, Callable[[Fleet, int, float], Job]] = {
    "single-64": lambda fleet, port, seconds: single_job(fleet, port, 64, seconds),
    "batch-100": lambda fleet, port, seconds: batch_job(fleet, port, 100, seconds),
    "signed-batch-1000": lambda fleet, port, seconds: batch_job(fleet, port, 1000, seconds),
}
_USUAL = ("single-64", "signed-batch-1000")
_ATTACHING_SECONDS = 2.5
"""What py-spy takes at most to find its way in a process."""


class Stage(msgspec.Struct, frozen=True):
    """What a stage takes of each payment. Units: microseconds; `holding_us` is with Python's global
    lock held, `elapsed_us` with waiting.
    """

    thread: str
    stage: str
    cpu_us: float
    holding_us: float
    elapsed_us: float


class Profile(msgspec.Struct, frozen=True):
    """One workload, stage by stage. Shape: `top` has (function, share of the time it held)."""

    name: str
    engine: str
    rate_per_s: float
    cpu_us_each: float
    counted: int
    stages: Sequence[Stage]
    top: Sequence[tuple[str, float]]


class Looks:
    """The three looks at a hub and its writing process, one after the other while it is paid."""

    def __init__(self, hub: psutil.Process, seconds: float, rate: int) -> None:
        self._hub, self._seconds, self._rate = hub, seconds, rate
        self._beside = hub.children()
        self._pool = ThreadPoolExecutor(1)
        self._before = self._cpu()

    def begin(self) -> None:
        """Begin, beside what is going on."""
        self._before = self._cpu()
        self._taken = self._pool.submit(self._take)

    def _take(self) -> list[Seen]:
        kinds = ((), ("--gil",), ("--idle",))
        return [self._look(*kind) for kind in kinds]

    def _look(self, *kind: str) -> Seen:
        with ThreadPoolExecutor() as pool:
            others = [
                pool.submit(look, one.pid, self._seconds, self._rate, *kind) for one in self._beside
            ]
            seen = look(self._hub.pid, self._seconds, self._rate, *kind)
            return seen.beside([sample for other in others for sample in other.result().samples])

    def _cpu(self) -> dict[int, float]:
        threads = [thread for one in (self._hub, *self._beside) for thread in one.threads()]
        return {thread.id: thread.user_time + thread.system_time for thread in threads}

    def profile(self, figure: Figure, top: int) -> Profile:
        """Put together what was seen, once what was measured is over."""
        used = {tid: cpu - self._before.get(tid, 0) for tid, cpu in self._cpu().items()}
        running, holding, every = self._taken.result()
        cpu, held, elapsed = by_cpu(running, used), by_count(holding), by_count(every)
        tick_us = 1e6 / self._rate / (self._seconds * figure.rate_per_s)
        stages = [
            Stage(
                thread.shown,
                stage,
                round(cpu.get((thread.shown, stage), 0) / figure.counted * 1e6, 1),
                round(held[thread.shown, stage] * tick_us, 1),
                round(elapsed[thread.shown, stage] * tick_us, 1) if thread.places else 0,
            )
            for thread in THREADS
            for stage in [*thread.places, thread.rest]
        ]
        seen = [(function, round(n / holding.looks, 4)) for function, n in innermost(holding, top)]
        return Profile(
            figure.name,
            figure.engine,
            figure.rate_per_s,
            figure.cpu_us_each,
            figure.counted,
            [stage for stage in stages if stage.cpu_us or stage.holding_us or stage.elapsed_us],
            seen,
        )


def run_profile(name: str, engine: str, *, seconds: float, devices: int, rate: int) -> Profile:
    """Pay a new hub as a workload does, and look at it meanwhile, `seconds` for each look."""
    with new_hub(engine) as config:
        fleet = asyncio.run(furnish(config, devices))
        with hub_of(config) as (hub, port):
            job = JOBS[name](fleet, port, 3 * (seconds + _ATTACHING_SECONDS))
            looks = Looks(hub, seconds, rate)
            figure = measure(config, hub, job, name, begun=looks.begin)
            return looks.profile(figure, 40)


def show(profile: Profile, top: int, console: Console) -> None:
    """Print a profile as a table, and the functions that hold the interpreter longest."""
    table = Table(
        title=f"{profile.name} on {profile.engine}: {profile.rate_per_s:,.0f}/s while looked at,"
        f" {profile.cpu_us_each:,.0f} µs of CPU each",
        title_justify="left",
    )
    table.add_column("thread")
    table.add_column("stage, µs per payment")
    for column in ("CPU", "holding Python", "elapsed"):
        table.add_column(column, justify="right")
    for stage in profile.stages:
        numbers = (stage.cpu_us, stage.holding_us, stage.elapsed_us)
        table.add_row(stage.thread, stage.stage, *(f"{n:,.1f}" if n else "" for n in numbers))
    total = [
        sum(getattr(stage, name) for stage in profile.stages) for name in ("cpu_us", "holding_us")
    ]
    table.add_section()
    table.add_row("all", "", *(f"{n:,.1f}" for n in total), "")
    console.print(table)
    for function, share in profile.top[:top]:
        console.print(f"{share:6.1%}  {function}", highlight=False)


def parser() -> argparse.ArgumentParser:
    """Describe the arguments."""
    made = argparse.ArgumentParser(
        "bench.profile",
        description=(__doc__ or "").split("\n", 1)[0],
        epilog='for example: make bench-profile ARGS="--only single-64 --top 20"',
    )
    made.add_argument("--json", action="store_true", help="print one JSON object")
    made.add_argument(
        "--only", action="append", choices=JOBS, metavar="NAME",
        help=f"only this workload, may be given again: {', '.join(JOBS)}",
    )  # fmt: skip
    made.add_argument("--engine", choices=ENGINES, default="sqlite")
    made.add_argument(
        "--seconds", type=int, default=8, help="how long each of three looks takes [8]"
    )
    made.add_argument("--rate", type=int, default=200, help="how often it looks in a second [200]")
    made.add_argument("--devices", type=int, default=2_000, help="how many devices pay [2000]")
    made.add_argument("--top", type=int, default=0, help="also the functions that hold Python most")
    return made


def _profiled(name: str, asked: argparse.Namespace) -> Profile:
    return run_profile(
        name, asked.engine, seconds=asked.seconds, devices=asked.devices, rate=asked.rate
    )


def main() -> None:
    """Profile what was asked for."""
    asked = parser().parse_args()
    profiles: list[Profile] = []
    for name in asked.only or _USUAL:
        print(f"{name}: about {3 * asked.seconds + 15} seconds", file=sys.stderr)
        try:
            profiles.append(_profiled(name, asked))
        except RuntimeError as fault:
            sys.exit(f"{name}: {fault}")
    if asked.json:
        result = {"machine": describe(), "profiles": profiles}
        print(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())
        return
    console = Console()
    for profile in profiles:
        show(profile, asked.top, console if console.is_terminal else Console(width=110))


if __name__ == "__main__":
    main()
