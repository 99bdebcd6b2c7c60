"""What `make simulate` is told on its command line, and what it prints."""

import argparse
import sys
from collections.abc import Iterator, Sequence

import msgspec
from rich.console import Console

from simulation.jobs import fresh_seed, told_by
from simulation.stillness import real_seconds
from simulation.story import Told, tell
from simulation.table import show

_EXAMPLES = """examples:
  make simulate                                     ten seconds, from a fresh seed
  make simulate ARGS="--seed 7"                     one seed, exactly as it was
  make simulate ARGS="--seeds 1-100 --operations 5000"
  make simulate ARGS="--seconds 600 --jobs 2"       ten minutes, in two processes
"""
_WRONG_SHOWN = 20


def parser() -> argparse.ArgumentParser:
    """Describe the arguments."""
    made = argparse.ArgumentParser(
        "make simulate ARGS=...",
        description="Run a hub in which everything goes wrong by a seed, and check its books.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--seed", type=int, help="run this seed alone")
    made.add_argument("--seeds", metavar="A-B", default="", help="run these seeds")
    made.add_argument("--seconds", type=float, default=10, help="else: begin no seed after [10]")
    made.add_argument("--operations", type=int, default=1000, help="of each seed [1000]")
    made.add_argument("--first", type=int, help="the first seed, instead of a fresh one")
    made.add_argument("--jobs", type=int, default=1, help="in so many processes at once [1]")
    made.add_argument("--stop", action="store_true", help="stop at the first that is wrong")
    made.add_argument("--json", action="store_true", help="print one JSON object for each seed")
    return made


def seeds_of(asked: argparse.Namespace) -> Iterator[int]:
    """Give the seeds to run."""
    if asked.seed is not None:
        yield asked.seed
    elif asked.seeds:
        first, _, last = asked.seeds.partition("-")
        yield from range(int(first), int(last or first) + 1)
    else:
        began = real_seconds()
        seed = fresh_seed() if asked.first is None else asked.first
        while real_seconds() - began < asked.seconds:
            yield seed
            seed += 1


def main() -> None:
    """Run what was asked for, and end with 1 if anything was wrong."""
    asked = parser().parse_args()
    told = _told(asked) if asked.jobs == 1 or asked.seed is not None else _told_by_many(asked)
    if asked.json:
        print(msgspec.json.encode(told).decode())
    else:
        show(told, Console())
    sys.exit(1 if any(one.wrong for one in told) else 0)


def _told(asked: argparse.Namespace) -> list[Told]:
    told: list[Told] = []
    for seed in seeds_of(asked):
        told.append(tell(seed, asked.operations))
        _say(told[-1], asked.operations)
        if told[-1].wrong and asked.stop:
            break
    return told


def _told_by_many(asked: argparse.Namespace) -> list[Told]:
    options: Sequence[str] = ["--operations", str(asked.operations)]
    options = [*options, "--seconds", str(asked.seconds), *(["--stop"] if asked.stop else [])]
    return told_by(asked.jobs, asked.seeds, options)


def _say(one: Told, operations: int) -> None:
    faults = sum(one.faults.values())
    pace = one.story_seconds / max(one.real_seconds, 1e-9)
    line = f"seed {one.seed}: {one.operations} operations, {faults} faults, {pace:.1f} x real time"
    print(line, "wrong" if one.wrong else "right", file=sys.stderr, flush=True)
    if one.wrong:
        for fault in one.wrong[:_WRONG_SHOWN]:
            print(f"  {fault}", file=sys.stderr)
        again = f'make simulate ARGS="--seed {one.seed} --operations {operations}"'
        print(f"  again: {again}", file=sys.stderr, flush=True)
