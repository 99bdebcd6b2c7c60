"""Each workload runs, and its figures have their shape; how fast it is, is not asked here."""

import json
import subprocess
import sys

import pytest
from bench.ceilings import Ceilings
from bench.figures import Ceiling, Figure, lowest, median_run, percentile
from bench.judging import RISK
from bench.load import read_heard
from bench.plan import ALL_NAMES, Wanted, run_all, run_engine
from bench.watching import measure


@pytest.fixture
def ceilings(tmp_path):
    return Ceilings(tmp_path, 0.02)


def measured(names, tmp_path, ceilings):
    wanted = Wanted(names, seconds=0.2, runs=1, devices=10, accounts=200, place=tmp_path)
    return list(run_engine("sqlite", wanted, ceilings))


@pytest.mark.parametrize(
    "name",
    [
        "single-1",
        "single-64",
        "hot-seller",
        "stored-10k",
        "paid-route-64",
        "batch-100",
        "signed-batch-1000",
        "session-vouchers",
        "ticks",
    ],
)
def test_payments_are_made_by_a_real_hub_and_counted(name, tmp_path, ceilings):
    [figure] = measured([name], tmp_path, ceilings)
    assert (figure.name, figure.engine) == (name, "sqlite")
    assert figure.counted > 0
    assert figure.refused == 0
    assert figure.rate_per_s > 0
    assert 0 < figure.p50_ms <= figure.p99_ms
    assert figure.cpu_us_each > 0
    assert (figure.commits > 0) == (
        name not in ("session-vouchers", "ticks")
    )  # Drawing makes no head.
    assert figure.fsyncs_per_commit >= 1
    assert figure.ceiling


def test_what_cannot_be_read_of_a_load_generator_is_told(tmp_path):
    for said in ("", "\n", '{"latencies":[0.5,'):
        with pytest.raises(RuntimeError, match=f"said {len(said)} characters.* exit code is -9"):
            read_heard(said, -9)


def test_what_the_middleware_adds_is_measured_beside_a_stub(tmp_path, ceilings):
    names = ["added-latency", "added-latency-charge"]
    figures = measured(names, tmp_path, ceilings)
    assert [figure.name for figure in figures] == names
    for figure in figures:
        assert figure.counted == 80
        assert figure.rate_per_s > 0 and figure.ceiling_per_s > 0  # A pause may fall on either.
        assert abs(figure.p50_ms) < 1000  # It is a difference of two that sway.


def test_a_soak_looks_at_memory_and_audits_the_books(tmp_path, ceilings):
    [figure] = measured(["soak"], tmp_path, ceilings)
    assert figure.name == "soak"
    assert figure.counted > 0
    assert all(mib > 10 for mib in figure.resident_mib_over_time)


def test_books_of_many_payments_are_made_once_and_measured_beside_small_ones(tmp_path):
    options = ["--payments", "600", "--few", "100", "--devices", "10"]
    options += ["--folder", str(tmp_path / "kept")]
    options += ["--runs", "1", "--seconds", "0.2", "--json"]
    command = [sys.executable, "-m", "bench.stored", *options]
    first = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    again = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert "600 of 600 payments" in first.stderr
    assert "payments" not in again.stderr
    told = json.loads(again.stdout)
    assert told["payments"] >= 600
    assert [figure["name"] for figure in told["figures"]] == ["stored-10k", "stored-10m"]
    assert told["ratio"] > 0


def test_batches_of_every_size_are_put_into_the_ledger(tmp_path, ceilings):
    figures = measured(["books-1", "books-100", "books-1000"], tmp_path, ceilings)
    assert [figure.name for figure in figures] == ["books-1", "books-100", "books-1000"]
    assert [figure.per_commit for figure in figures] == [1, 100, 1000]
    assert all(figure.ceiling_per_s > 0 for figure in figures)


@pytest.mark.parametrize("name", RISK)
def test_orders_are_judged_without_any_books(name, ceilings):
    wanted = Wanted([name], seconds=0.02, runs=3, devices=20, accounts=0)
    [figure] = run_all(["sqlite", "postgresql"], wanted, ceilings)
    assert (figure.name, figure.engine, figure.per_commit) == (name, "none", RISK[name])
    assert figure.counted >= 1000
    assert figure.refused < figure.counted / 100
    assert 0 < figure.rate_per_s < figure.ceiling_per_s
    assert 0 < figure.cpu_us_each < 2e6 / figure.rate_per_s  # Waiting is no work.
    assert len(figure.runs_per_s) == 3


def test_the_command_prints_machine_and_figures_as_json(tmp_path):
    options = ["--json", "--only", "books-1", "--engine", "sqlite", "--runs", "3"]
    options += ["--seconds", "0.05", "--accounts", "50", "--place", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "bench", *options], check=True, capture_output=True, timeout=60
    )
    printed = json.loads(done.stdout)
    assert {"cpu", "python", "sqlite"} <= printed["machine"].keys()
    [figure] = printed["figures"]
    assert len(figure["runs_per_s"]) == 3
    assert sorted(figure["runs_per_s"])[1] == figure["rate_per_s"]
    wanted = {"name", "engine", "rate_per_s", "p50_ms", "p99_ms", "ceiling_per_s", "ceiling"}
    assert wanted <= figure.keys()


def test_every_workload_has_a_name_that_can_be_asked_for():
    assert len(set(ALL_NAMES)) == len(ALL_NAMES) == 18


def test_the_lowest_ceiling_is_the_one_that_counts():
    assert lowest(Ceiling(2, "disk"), Ceiling(1, "signatures")).what == "signatures"


def test_the_median_run_is_the_one_in_the_middle():
    runs = [
        Figure(name="x", engine="sqlite", rate_per_s=rate, p50_ms=0, p99_ms=0)
        for rate in (5.0, 1.0, 3.0)
    ]
    assert median_run(runs).rate_per_s == 3.0
    assert median_run(runs).runs_per_s == [5.0, 1.0, 3.0]


def test_a_percentile_is_a_value_that_was_measured():
    assert percentile([1, 2, 3, 4], 0.5) == 3
    assert percentile([1, 2, 3, 4], 0.99) == 4
    assert percentile([], 0.5) == 0


def test_what_watching_costs_is_measured_beside_not_watching():
    taken = measure(rounds=20)
    assert len(taken) == 4
    assert all(microseconds > 0 for microseconds in taken.values())
