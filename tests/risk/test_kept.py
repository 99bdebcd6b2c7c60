"""A model is kept as numbers: it scores as it did when it was trained, and runs nothing."""

import random
from typing import Any

import msgspec
import numpy as np
import pytest

from farthing.errors import Conflict, Malformed
from farthing.risk.drift import bins_of, said, stability
from farthing.risk.kept import Kept, KeptTrees, digest_of, name_of, read_kept, write_kept
from farthing.risk.measures import area_under_curve, average_precision
from farthing.risk.models import Detector, Learned
from farthing.risk.quantiles import GRID, RANK_MAX, below, quantiles, upto
from farthing.risk.training import ROWS_MIN, Seen, kept_trees, train
from farthing.risk.traits import NAMES

NOW = 1_790_000_000


def drawn(count: int, seed: int = 1) -> list[list[int]]:
    dice = random.Random(seed)
    return [[dice.randrange(0, 3000) for _ in NAMES] for _ in range(count)]


def seen(count: int = 400) -> Seen:
    """What has a large `units` is bad, four times in five."""
    table, dice = drawn(count), random.Random(2)
    bad = [row[0] > 2400 and dice.random() < 0.8 for row in table]
    return Seen(table, bad, list(range(count)), {"denied": sum(bad)})


@pytest.fixture(scope="module")
def learned() -> Kept:
    return train("learned", seen(), NOW)


@pytest.fixture(scope="module")
def detector() -> Kept:
    return train("detector", seen(), NOW)


def test_kept_trees_score_as_the_library_that_grew_them():
    told = seen()
    trees = Learned(told.table, told.bad).trees
    score = kept_trees(trees).scorer()
    later = drawn(200, seed=9)
    expected = trees.decision_function(np.asarray(later))
    assert [score(row) for row in later] == pytest.approx(list(expected), abs=1e-9)


def test_a_kept_detector_scores_as_the_one_it_was_thinned_from():
    told = drawn(5000)
    kept = train("detector", Seen(told, [False] * 5000, list(range(5000))), NOW)
    score, later = kept.model.scorer(), drawn(200, seed=9)
    assert [score(row) for row in later] == pytest.approx(Detector(told).score(later), abs=0.3)
    ranks = np.corrcoef([score(row) for row in later], Detector(told).score(later))
    assert ranks[0, 1] > 0.999


def test_a_model_in_its_file_is_the_same(learned: Kept, detector: Kept):
    for kept in (learned, detector):
        raw = write_kept(kept)
        again = read_kept(raw)
        assert write_kept(again) == raw
        assert name_of(kept.card.kind, raw) == f"{kept.card.kind}-{digest_of(raw)[:12]}"
        later = drawn(50, seed=9)
        assert [again.ranker()(row) for row in later] == [kept.ranker()(row) for row in later]


def test_a_card_says_what_a_model_was_made_of(learned: Kept):
    card = learned.card
    assert (card.rows, card.bad, card.since, card.until) == (400, sum(seen().bad), 0, 399)
    assert (list(card.traits), card.labels) == (list(NAMES), {"denied": card.bad})
    assert {"python", "farthing", "numpy", "scikit-learn"} == set(card.versions)
    assert card.measured["auc"] > 0.9


def test_the_same_is_trained_twice():
    assert write_kept(train("learned", seen(), NOW)) == write_kept(train("learned", seen(), NOW))


def test_a_rank_is_how_many_of_a_hundred_thousand_scored_less(detector: Kept):
    rank, table = detector.ranker(), drawn(400)
    ranks = sorted(rank(row) for row in table)
    assert ranks[200] == pytest.approx(RANK_MAX / 2, rel=0.05)
    assert ranks[-1] >= 99_700


def spoilt(kept: Kept, **changed: Any) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(kept, **changed))


@pytest.mark.parametrize(
    "nodes",
    [
        [],
        [(0, 1.0, 0, 0, 0.0)],
        [(0, 1.0, 1, 2, 0.0), (-1, 0.0, 0, 0, 1.0)],
        [(99, 1.0, 1, 2, 0.0), (-1, 0.0, 0, 0, 1.0), (-1, 0.0, 0, 0, 1.0)],
        [(0, 1.0, 1, 2, 0.0), (0, 1.0, 1, 2, 0.0), (-1, 0.0, 0, 0, 1.0)],
    ],
    ids=["empty", "its own child", "no child", "no trait", "a circle"],
)
def test_a_tree_that_cannot_be_walked_is_refused(learned: Kept, nodes: list[object]):
    with pytest.raises(Malformed, match="no model for this version"):
        read_kept(spoilt(learned, model=KeptTrees(0.0, [nodes])))  # type: ignore[list-item]


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b"\x80\x04\x95", b"[1]", b'{"format":"farthing-model-2"}'],
    ids=["nothing", "no model", "a pickle", "a list", "another format"],
)
def test_what_is_no_model_is_refused(raw: bytes):
    with pytest.raises(Malformed) as refused:
        read_kept(raw)
    assert refused.value.code == "model-unusable"


def test_a_model_of_other_traits_or_without_its_ranks_is_refused(learned: Kept):
    card = msgspec.structs.replace(learned.card, traits=[*NAMES, "weather"])
    for raw in (spoilt(learned, card=card), spoilt(learned, ranks=[0.0])):
        with pytest.raises(Malformed):
            read_kept(raw)


def test_a_detector_without_all_its_quantiles_is_refused(detector: Kept):
    model = msgspec.structs.replace(detector.model, low={"place_hours": [0.0]})
    with pytest.raises(Malformed):
        read_kept(spoilt(detector, model=model))


def test_too_little_teaches_nothing():
    few = Seen(drawn(ROWS_MIN - 1), [False] * (ROWS_MIN - 1), list(range(ROWS_MIN - 1)))
    with pytest.raises(Conflict, match="200 are the least"):
        train("detector", few, NOW)
    good = Seen(drawn(300), [True] * 19 + [False] * 281, list(range(300)))
    with pytest.raises(Conflict, match="19 of 300"):
        train("learned", good, NOW)


def test_quantiles_are_exact_to_the_grid():
    known = quantiles(list(range(100_001)))
    assert [int(one) for one in known] == list(GRID)
    assert (below(known, -1), below(known, 99_995), below(known, 10**6)) == (0, 99_995, RANK_MAX)
    assert below(known, 50_000) == 50_000
    assert upto(known, 0) == 1


def test_drift_is_none_of_the_same_and_much_of_another():
    dice = random.Random(5)
    then = [dice.gauss(100, 10) for _ in range(2000)]
    same = [dice.gauss(100, 10) for _ in range(2000)]
    shifted = [dice.gauss(110, 10) for _ in range(2000)]
    bins = bins_of(then)
    assert len(bins.shares) == 10
    assert said(stability(bins, same)) == "none"
    assert said(stability(bins, shifted)) == "much"


def test_a_trait_that_never_differs_does_not_drift_until_it_does():
    bins = bins_of([7] * 100)
    assert stability(bins, [7] * 50) == 0
    assert said(stability(bins, [6] * 50)) == "much"


def test_measures_are_those_of_the_library():
    metrics = pytest.importorskip("sklearn.metrics")
    dice = random.Random(3)
    bad = [dice.random() < 0.2 for _ in range(500)]
    scores = [round(dice.random() + is_bad * 0.3, 1) for is_bad in bad]  # With many ties.
    assert area_under_curve(bad, scores) == pytest.approx(metrics.roc_auc_score(bad, scores))
    precision = metrics.average_precision_score(bad, scores)
    assert average_precision(bad, scores) == pytest.approx(precision)
