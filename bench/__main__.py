"""`make bench`: measure payments and the ledger, and print them beside the machine's ceilings.

`make bench ARGS="--only single-64 --engine sqlite --runs 5"`; `--json` for machines.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import msgspec
from rich.console import Console

from bench.ceilings import Ceilings
from bench.engines import ENGINES
from bench.figures import Figure
from bench.machine import describe
from bench.plan import ALL_NAMES, NAMES, Wanted, run_all
from bench.table import show
from farthing.cli.running import calm_collector

_WIDTH = 132
"""For a log; a terminal has its own."""


def parser() -> argparse.ArgumentParser:
    """Describe the arguments."""
    made = argparse.ArgumentParser("bench", description=(__doc__ or "").split("\n", 1)[0])
    made.add_argument("--json", action="store_true", help="print one JSON object")
    made.add_argument(
        "--only", action="append", choices=ALL_NAMES, metavar="NAME",
        help=f"only this workload, may be given again: {', '.join(ALL_NAMES)}",
    )  # fmt: skip
    made.add_argument("--engine", choices=[*ENGINES, "both"], default="both")
    made.add_argument("--runs", type=int, default=1, help="how often; the median is shown [1]")
    made.add_argument("--seconds", type=float, default=5, help="how long each run takes [5]")
    made.add_argument("--devices", type=int, default=2_000, help="how many devices pay [2000]")
    made.add_argument("--accounts", type=int, default=100_000, help="in books-* [100000]")
    made.add_argument("--place", type=Path, help="a folder on the disk to measure")
    return made


def main() -> None:
    """Measure what was asked for."""
    asked = parser().parse_args()
    wanted = Wanted(
        asked.only or NAMES, asked.seconds, asked.runs, asked.devices, asked.accounts, asked.place
    )
    calm_collector()  # As in a hub that serves.
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(dir=asked.place) as folder:
        ceilings = Ceilings(Path(folder), min(asked.seconds, 2))
        engines = list(ENGINES) if asked.engine == "both" else [asked.engine]
        for figure in run_all(engines, wanted, ceilings):
            figures.append(figure)
            told = f"{figure.name} on {figure.engine}: {figure.rate_per_s:,.0f}/s"
            print(told, file=sys.stderr)
    if asked.json:
        result = {"machine": describe(), "figures": figures}
        print(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())
    else:
        console = Console()
        show(describe(), figures, console if console.is_terminal else Console(width=_WIDTH))


if __name__ == "__main__":
    main()
