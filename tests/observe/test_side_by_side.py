"""Metrics of several workers on one page that a monitoring system can read."""

from prometheus_client.parser import text_string_to_metric_families

from farthing.observe.board import Board
from farthing.observe.side_by_side import side_by_side
from farthing.observe.table import HUB


def page(payments: int) -> bytes:
    board = Board(HUB, "hub", "postgresql")
    board.tally("farthing_payments_total").put(payments, ("captured", "", "USD"))
    board.spread("farthing_commit_seconds").at().add(0.002)
    return board.page()


def test_each_family_stands_once_with_the_samples_of_every_worker():
    told = side_by_side({1: page(20), 0: page(10)}).decode()
    families = list(text_string_to_metric_families(told))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    assert told.count("# HELP farthing_build_info ") == 1
    assert names == [f.name for f in text_string_to_metric_families(page(1).decode())]
    samples = [sample for family in families for sample in family.samples]
    assert {sample.labels["worker"] for sample in samples} == {"0", "1"}
    paid = {s.labels["worker"]: s.value for s in samples if s.name == "farthing_payments_total"}
    assert paid == {"0": 10, "1": 20}
    one = list(text_string_to_metric_families(page(10).decode()))
    assert len(samples) == 2 * sum(len(family.samples) for family in one)


def test_a_worker_that_does_not_answer_is_left_out():
    told = side_by_side({0: page(10), 1: b""}).decode()
    families = text_string_to_metric_families(told)
    samples = [sample for family in families for sample in family.samples]
    assert {sample.labels["worker"] for sample in samples} == {"0"}
