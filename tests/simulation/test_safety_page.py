"""The page on safety: what seeds came to is added up and put in its place."""

import msgspec
from simulation.faults import KINDS
from simulation.jobs import shares
from simulation.safety_page import PAGE, RESULTS, placed, report
from simulation.story import Told

TWO = [
    Told(3, "a", 100, 30.0, 9.0, 2.0, 5_000, {"killed": 2, "request-lost": 4}),
    Told(4, "b", 110, 30.0, 9.0, 2.0, 5_000, {"killed": 1}, ["an account has too much"]),
]


def test_seeds_are_added_up_and_every_kind_has_its_row():
    told = report(TWO)
    assert "2 seeds, 210 client operations, 7 faults" in told
    assert "15.0 times as fast as real time" in told
    assert "Seeds with anything wrong: 1. Seeds 3 to 4." in told
    assert f"| `killed` | 3 | {KINDS['killed']} |" in told
    assert told.count("\n| `") == len(KINDS)


def test_a_report_takes_the_place_of_the_one_before():
    page = placed(placed(PAGE.read_text(), "an old report"), "a new report")
    assert "an old report" not in page
    assert page.count("a new report") == 1
    assert page.startswith("# How safe it is") and "## What it does not show" in page


def test_the_page_is_that_of_the_results_that_are_kept():
    told = msgspec.json.decode(RESULTS.read_bytes(), type=list[Told])
    assert report(told) in PAGE.read_text()
    assert not any(one.wrong for one in told)


def test_seeds_are_divided_among_processes_without_a_gap():
    assert shares(1, 10, 3) == [(1, 4), (5, 8), (9, 10)]
    assert shares(5, 5, 2) == [(5, 5)]
