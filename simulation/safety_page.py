"""`make safety-page`: write the measured part of docs/explanation/safety.md.

It is read from simulation/results/simulation.json, as `make simulate ARGS="--json"` prints it.
"""

from pathlib import Path

import msgspec

from simulation.faults import KINDS
from simulation.story import Told
from simulation.table import counted, summary

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "simulation" / "results" / "simulation.json"
PAGE = ROOT / "docs" / "explanation" / "safety.md"
BEGINS, ENDS = "<!-- results: simulation -->", "<!-- end of simulation -->"


def report(told: list[Told]) -> str:
    """Write the sentence and the table of faults."""
    rows = [f"| `{kind}` | {times:,} | {KINDS[kind]} |" for kind, times in counted(told).items()]
    table = "\n".join(["| fault | times | counted when |", "| --- | ---: | --- |", *rows])
    seeds = f"Seeds {min(one.seed for one in told)} to {max(one.seed for one in told)}."
    return f"{summary(told)} {seeds}\n\n{table}"


def placed(page: str, text: str) -> str:
    """Put the report in its place on the page."""
    before, _, rest = page.partition(BEGINS)
    _, _, after = rest.partition(ENDS)
    return f"{before}{BEGINS}\n\n{text}\n\n{ENDS}{after}"


def main() -> None:
    """Write the page."""
    told = msgspec.json.decode(RESULTS.read_bytes(), type=list[Told])
    PAGE.write_text(placed(PAGE.read_text(), report(told)))


if __name__ == "__main__":
    main()
