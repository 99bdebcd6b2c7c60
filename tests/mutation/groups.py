"""The files that decide about money, and the tests that are to notice a change in them."""

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "farthing"
HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
SURVIVORS = HERE / "survivors.toml"
STATE = ROOT / "build" / "mutation"


class Group(NamedTuple):
    """Files below src/farthing, and tests of them that are quick enough to run a thousand times."""

    files: tuple[str, ...]
    tests: tuple[str, ...]


GROUPS = {
    "ledger": Group(
        (
            "core/ledger.py",
            "core/ledger_checks.py",
            "core/ledger_limits.py",
            "core/ledger_rows.py",
            "core/ledger_work.py",
        ),
        (
            "tests/core/test_ledger.py",
            "tests/core/test_ledger_edges.py",
            "tests/core/test_ledger_precedence.py",
            "tests/core/test_ledger_work.py",
        ),
    ),
}

LEFT_OUT = "not postgresql and not tigerbeetle and not process"
"""What needs a server or a process of its own is too slow for this."""
MARKS = "not prove and not postgres"
