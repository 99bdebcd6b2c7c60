"""The page about speed says what the results say, and nothing that was not measured."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from bench.plots import Bar, bars
from bench.speed_page import PAGE, RESULTS, placed, results, written

MACHINE = {"cpu": "a processor", "memory": "1 GiB", "system": "Linux", "python": "3.11"}
FIGURE = {
    "name": "single-64", "engine": "sqlite", "rate_per_s": 1234.5, "p50_ms": 1.5, "p99_ms": 2.5,
    "ceiling_per_s": 20000.0, "ceiling": "verifies", "cpu_us_each": 100.0, "load_cpu_us_each": 9.0,
    "refused": 0, "resident_mib": 80.0, "runs_per_s": [1200.0, 1234.5],
}  # fmt: skip
STAGE = {
    "thread": "writer",
    "stage": "decide",
    "cpu_us": 90.0,
    "holding_us": 80.0,
    "elapsed_us": 99.0,
}


def told(**more):
    return {"machine": MACHINE, "figures": [FIGURE], **more}


def profiled(cpu):
    stages = [{**STAGE, "cpu_us": cpu}]
    return {"machine": MACHINE, "profiles": [{"name": "single-64", "stages": stages}]}


def test_page_and_plots_are_what_the_results_give():
    texts, plots = written(results(RESULTS))
    page = PAGE.read_text()
    assert placed(page, texts) == page, "run make speed-page"
    for name, drawn in plots.items():
        assert (PAGE.parent / name).read_text() == drawn, "run make speed-page"
    assert set(plots) == {file.name for file in PAGE.parent.glob("speed-*.svg")}


def test_figures_are_told_with_all_runs_and_their_machine():
    texts, plots = written({"bench": told()})
    assert "a processor, 1 GiB, Linux, python 3.11" in texts["bench"]
    assert (
        "| `single-64` | SQLite | 1,234 | 1.5 | 2.5 | 100 | 80 | 1,200, 1,234 |" in texts["bench"]
    )
    assert "20,000 verifies" in texts["bench"]
    assert list(plots) == ["speed-bench.svg"]


def test_a_peer_that_is_missing_is_told_with_its_reason():
    peer = {
        "name": "x",
        "job": "a job",
        "unlike": "Not alike.",
        "versions": {"x": "1"},
        "why": "no",
    }
    texts, _ = written({"peers": told(peers=[peer])})
    assert "- `x` (x 1): a job. Not alike. It could not be measured: no" in texts["peers"]


def test_stages_are_told_before_and_after():
    only, _ = written({"profile-after": profiled(60.0)})
    assert "| writer | decide | 60.0 |" in only["profile-after"]
    both, _ = written({"profile-before": profiled(90.0), "profile-after": profiled(60.0)})
    assert "| writer | decide | 90.0 → 60.0 |" in both["profile-after"]
    assert "| all |  | 90.0 → 60.0 |" in both["profile-after"]


def test_books_of_many_payments_are_told_by_their_ratio():
    texts, _ = written({"stored": told(payments=10_000_000, gigabytes=24.5, ratio=0.97)})
    assert "With 10,000,000 payments in 24.50 GB the hub pays at 0.97" in texts["stored"]


def test_what_was_not_measured_is_said_with_its_command():
    texts, plots = written({})
    assert plots == {}
    assert "make bench-peers ARGS=--json > bench/results/peers.json" in texts["peers"]
    assert "make bench-profile ARGS=--json > bench/results/profile-after" in texts["profile-after"]
    assert set(texts) == {"bench", "peers", "stored", "profile-after"}


def test_only_what_stands_between_the_comments_is_written_anew():
    page = "before\n<!-- results: bench -->\nold\n<!-- end of bench -->\nafter"
    assert placed(placed(page, {"bench": "x"}), {"bench": "new"}) == (
        "before\n<!-- results: bench -->\n\nnew\n\n<!-- end of bench -->\nafter"
    )
    with pytest.raises(ValueError, match="no place for peers"):
        placed(page, {"peers": "x"})


def test_a_bar_ten_times_as_much_is_one_line_longer():
    drawn = bars("A title", "per second", [Bar("one", "a", 10), Bar("two & b", "b", 100, 1000)])
    tree = ElementTree.fromstring(drawn)
    wide = [float(rect.get("width", 0)) for rect in tree.iter() if rect.get("height") == "13"]
    grid = sorted(
        {float(line.get("x1", 0)) for line in tree.iter() if line.get("stroke-opacity") == "0.25"}
    )
    steps = [right - left for left, right in pairwise(grid)]
    assert len(grid) == 4
    assert wide[1] - wide[0] == pytest.approx(steps[0], abs=0.2)
    assert "two &amp; b" in drawn
    assert not re.search(r"NaN|inf", drawn)


def test_the_same_numbers_give_the_same_bytes():
    shown = [Bar("one", "a", 3), Bar("two", "b", 7)]
    assert bars("x", "y", shown) == bars("x", "y", shown)
