"""`make bench-risk` measures what it says, on payments whose answer is known beforehand."""

import json

import pytest
from bench.risk import page
from bench.risk.__main__ import KEPT, summed_up
from bench.risk.contenders import CONTENDERS, OURS, Split
from bench.risk.labelled import BEGAN, Labelled
from bench.risk.replaying import traits_of
from bench.risk.scoring import Worth, card_precision, threshold, worth

from farthing.core.judgements import Ordered
from farthing.risk.traits import NAMES

DAY = 86_400


def paid(day=0, card=1, scenario=0, second=0, terminal=1):
    at = BEGAN + day * DAY + second
    return Labelled(Ordered(f"dev_{card}", f"acc_{terminal}", 1000, at), scenario)


def test_perfect_scores_are_worth_everything_and_reversed_ones_nothing():
    payments = [paid(card=n, scenario=int(n > 90), second=n) for n in range(100)]
    scores = [float(n) for n in range(100)]
    best = worth(payments, scores)
    assert (best.auc, best.recall) == (1, 1)
    assert best.average_precision == pytest.approx(1)
    assert best.auc_of_scenario == best.recall_of_scenario == {"1": 1}
    worst = worth(payments, scores[::-1])
    assert (worst.auc, worst.recall) == (0, 0)


def test_each_scenario_is_told_apart_from_the_good_ones_alone():
    payments = [paid(scenario=s) for s in (0, 0, 2, 3)]
    told = worth(payments, [0.5, 0.1, 0.9, 0.3])
    assert told.auc_of_scenario == {"2": 1, "3": 0.5}
    assert told.recall_of_scenario == {"2": 1, "3": 0}


def test_one_good_payment_in_a_thousand_may_be_flagged():
    assert threshold([float(n) for n in range(1000)]) == 998
    assert threshold([float(n) for n in range(999)]) == 998


def test_a_day_looks_at_the_cards_with_the_highest_scores_of_the_day():
    payments = [
        paid(0, card=1, scenario=1), paid(0, card=2), paid(0, card=1), paid(0, card=3),
        paid(1, card=2, scenario=1), paid(1, card=3),
    ]  # fmt: skip
    scores = [0.1, 0.8, 0.9, 0.2, 0.1, 0.9]
    assert card_precision(payments, scores, alerts=1) == 0.5
    assert card_precision(payments, scores, alerts=2) == 0.5
    assert card_precision(payments, scores, alerts=3) == 2 / 5


def test_what_is_learned_from_and_what_is_asked_of_have_a_week_between():
    split = Split([paid(day) for day in range(60)], 60)
    assert (split.seen[-1], split.asked[0], split.asked[-1]) == (41, 49, 59)


def test_a_label_is_told_a_week_after_the_payment_and_not_a_second_before():
    bad = paid(0, scenario=2, second=500)
    early, late = paid(7, second=499, card=2), paid(7, second=500, card=2)
    known = [dict(zip(NAMES, row, strict=True)) for row in traits_of([bad, early, late])]
    assert [row["payee_bad_newest"] for row in known] == [99, 99, 7]


def test_the_spread_over_data_sets_is_told_with_its_ends():
    def of(auc):
        run = Worth(auc, 0.5, 0.5, 0.5, {"1": auc}, {"1": 1.0})
        return dict.fromkeys(CONTENDERS, run)

    told = summed_up([of(0.5), of(1.0)])[OURS]
    assert told["auc"] == {"mean": 0.75, "least": 0.5, "most": 1.0}
    assert told["auc_of_scenario"]["1"]["most"] == 1.0


def test_page_and_plot_are_what_the_results_give():
    told = json.loads(KEPT.read_text())
    text, drawn = page.written(told)
    assert text in page.PAGE.read_text(), "run: python -m bench.risk.page"
    assert (page.PAGE.parent / page.PLOT).read_text() == drawn, "run: python -m bench.risk.page"
    assert told["auc"] == pytest.approx(told["contenders"][OURS]["auc"]["mean"])
