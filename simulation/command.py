"""What `make simulate` is told on its command line, and what it prints."""

import argparse
import sys
from collections.abc import Iterator

import msgspec

from simulation.stillness import real_seconds
from simulation.story import Told, tell

_EXAMPLES = """examples:
  make simulate                                     ten seconds, from a fresh seed
  make simulate ARGS="--seed 7"                     one seed, exactly as it was
  make simulate ARGS="--seeds 1-100 --operations 5000"
"""


def parser() -> argparse.ArgumentParser:
    """Describe the arguments."""
    made = argparse.ArgumentParser(
        "make simulate ARGS=...",
        description="Run a hub in which everything goes wrong by a seed, and check its books.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--seed", type=int, help="run this seed alone")
    made.add_argument("--seeds", metavar="A-B", help="run these seeds")
    made.add_argument("--seconds", type=float, default=10, help="else: begin no seed after [10]")
    made.add_argument("--operations", type=int, default=1000, help="of each seed [1000]")
    made.add_argument("--first", type=int, help="the first seed, instead of a fresh one")
    made.add_argument("--stop", action="store_true", help="stop at the first that is wrong")
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


def seeds_of(asked: argparse.Namespace) -> Iterator[int]:
    """Give the seeds to run."""
    if asked.seed is not None:
        yield asked.seed
    elif asked.seeds:
        first, _, last = asked.seeds.partition("-")
        yield from range(int(first), int(last or first) + 1)
    else:
        began, seed = real_seconds(), asked.first
        if seed is None:
            seed = int(real_seconds() * 1e6) % 1_000_000_000
        while real_seconds() - began < asked.seconds:
            yield seed
            seed += 1


def main() -> None:
    """Run what was asked for, and end with 1 if anything was wrong."""
    asked = parser().parse_args()
    told: list[Told] = []
    for seed in seeds_of(asked):
        one = tell(seed, asked.operations)
        told.append(one)
        _say(one, asked.operations)
        if one.wrong and asked.stop:
            break
    if asked.json:
        print(msgspec.json.encode(told).decode())
    sys.exit(1 if any(one.wrong for one in told) else 0)


def _say(one: Told, operations: int) -> None:
    faults = sum(one.faults.values())
    pace = one.story_seconds / max(one.real_seconds, 1e-9)
    line = f"seed {one.seed}: {one.operations} operations, {faults} faults, {pace:.1f} x real time"
    print(line, "wrong" if one.wrong else "right", file=sys.stderr, flush=True)
    if one.wrong:
        print(f"  {dict(one.faults)}", file=sys.stderr)
        for fault in one.wrong[:20]:
            print(f"  {fault}", file=sys.stderr)
        again = f'make simulate ARGS="--seed {one.seed} --operations {operations}"'
        print(f"  again: {again}", file=sys.stderr, flush=True)
