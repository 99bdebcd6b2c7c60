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
    "mandates": Group(
        ("core/mandates.py", "core/periods.py"),
        (
            "tests/core/test_mandates.py",
            "tests/core/test_periods.py",
            "tests/books/test_agreeing.py",
            "tests/books/test_mandates_and_budgets.py",
            "tests/books/test_two_people.py",
        ),
    ),
    "sessions": Group(
        (
            "core/closing.py",
            "core/drawing.py",
            "core/session_charges.py",
            "core/sessions.py",
        ),
        (
            "tests/core/test_deposits.py",
            "tests/core/test_drawing.py",
            "tests/core/test_session_charges.py",
            "tests/core/test_sessions.py",
            "tests/books/test_sessions.py",
        ),
    ),
    "vouchers": Group(
        ("core/promises.py", "core/ticks.py", "core/vouchers.py"),
        (
            "tests/core/test_ticks.py",
            "tests/core/test_voucher_edges.py",
            "tests/core/test_vouchers.py",
        ),
    ),
    "meters": Group(
        ("core/meters.py", "core/tariffs.py", "core/usage.py"),
        (
            "tests/core/test_meters.py",
            "tests/core/test_tariff_edges.py",
            "tests/core/test_tariffs.py",
            "tests/core/test_usage.py",
        ),
    ),
    "holds": Group(
        ("core/asks.py", "core/settling.py"),
        (
            "tests/books/test_asks.py",
            "tests/books/test_fees.py",
            "tests/books/test_holds.py",
            "tests/books/test_holds_kept.py",
            "tests/books/test_payment_events.py",
            "tests/books/test_settled.py",
            "tests/core/test_asks.py",
        ),
    ),
    "approval": Group(
        ("core/agreeing.py", "core/answers.py", "core/lines.py", "core/said.py"),
        (
            "tests/books/test_asks.py",
            "tests/books/test_agreeing.py",
            "tests/books/test_said.py",
            "tests/books/test_two_people.py",
            "tests/core/test_said.py",
        ),
    ),
    "fees": Group(
        ("core/fee_taking.py", "core/fees.py", "core/refunds.py"),
        (
            "tests/books/test_fees.py",
            "tests/books/test_payment_events.py",
            "tests/books/test_refunds.py",
            "tests/core/test_fee_taking.py",
            "tests/core/test_fees.py",
        ),
    ),
}

LEFT_OUT = "not postgresql and not tigerbeetle and not process"
"""What needs a server or a process of its own is too slow for this."""
MARKS = "not prove and not postgres"
