"""`make bench-risk`: how well models find what is bad, beside plain baselines.

`make bench-risk ARGS="--json"` prints one JSON object last; `--keep` writes the page's results.
"""

import argparse
import platform
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import mean
from typing import Any

import msgspec

from bench.risk.contenders import CONTENDERS, OURS, Split
from bench.risk.labelled import SHIFT, Labelled, Size, generator, labelled
from bench.risk.replaying import traits_of
from bench.risk.scoring import ALERTS_A_DAY, Worth, worth

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "bench" / "results" / "risk.json"
MADE = ROOT / "build" / "risk"
SEEDS = 3
MEASURES = ("auc", "average_precision", "card_precision", "recall")


def parser() -> argparse.ArgumentParser:
    """Describe the arguments."""
    made = argparse.ArgumentParser("bench.risk", description=(__doc__ or "").split("\n", 1)[0])
    made.add_argument("--json", action="store_true", help="print one JSON object last")
    made.add_argument("--keep", action="store_true", help="keep the results for the page")
    made.add_argument("--seeds", type=int, default=SEEDS, help="how many data sets [3]")
    made.add_argument("--customers", type=int, default=Size().customers)
    made.add_argument("--terminals", type=int, default=Size().terminals)
    made.add_argument("--days", type=int, default=Size().days)
    return made


def measured(payments: Sequence[Labelled], days: int, seed: int) -> dict[str, Worth]:
    """Have everybody learn from the first part of a data set, and score the last."""
    table = traits_of(payments)
    split = Split(payments, days)
    seen, asked = [table[at] for at in split.seen], [table[at] for at in split.asked]
    bad = [bool(payments[at].scenario) for at in split.seen]
    last = [payments[at] for at in split.asked]
    return {
        name: worth(last, scored(seen, bad, asked, seed))
        for name, (_, scored) in CONTENDERS.items()
    }


def summed_up(runs: Sequence[dict[str, Worth]]) -> dict[str, Any]:
    """Give the mean of every measure over the data sets, its least and its most."""
    return {name: _spread([msgspec.to_builtins(run[name]) for run in runs]) for name in CONTENDERS}


def _spread(told: Sequence[Any]) -> Any:
    if isinstance(told[0], dict):
        return {key: _spread([one[key] for one in told if key in one]) for key in told[0]}
    return {"mean": mean(told), "least": min(told), "most": max(told)}


def result(size: Size, seeds: int) -> dict[str, Any]:
    """Measure all of it."""
    runs: list[dict[str, Worth]] = []
    counted: list[dict[str, int]] = []
    for number in range(seeds):
        started = time.perf_counter()
        payments = labelled(number, size, MADE)
        runs.append(measured(payments, size.days, number))
        bad = sum(bool(one.scenario) for one in payments)
        counted.append({"payments": len(payments), "bad": bad})
        took = time.perf_counter() - started
        print(f"data set {number}: {len(payments):,} payments, {took:.0f} s", file=sys.stderr)
    summed = summed_up(runs)
    return {
        "auc": summed[OURS]["auc"]["mean"],
        "average_precision": summed[OURS]["average_precision"]["mean"],
        "data": {"generator": generator(), **size._asdict(), "seed_shift": SHIFT, "sets": counted},
        "alerts_a_day": ALERTS_A_DAY,
        "contenders": summed,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("farthing", "scikit-learn", "numpy")},
        },
    }


def shown(told: dict[str, Any]) -> str:
    """Write a line for each contender, and its spread."""
    lines = [f"{'':20}" + "".join(f"{name:>28}" for name in MEASURES)]
    for name, spread in told["contenders"].items():
        cells = [
            f"{spread[m]['mean']:.3f} ({spread[m]['least']:.3f} to {spread[m]['most']:.3f})"
            for m in MEASURES
        ]
        lines.append(f"{name:20}" + "".join(f"{cell:>28}" for cell in cells))
    return "\n".join(lines)


def main() -> None:
    """Measure, and print."""
    asked = parser().parse_args()
    told = result(Size(asked.customers, asked.terminals, asked.days), asked.seeds)
    text = msgspec.json.format(msgspec.json.encode(told), indent=2).decode()
    if asked.keep:
        KEPT.write_text(text + "\n")
    print(text if asked.json else shown(told))


if __name__ == "__main__":
    main()
