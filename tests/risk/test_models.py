"""Models tell the odd from the plain: the detector without labels, the learned one with them."""

import random
import sys

import pytest

from farthing.errors import InvariantBroken, PlugMissing
from farthing.risk.models import Detector, Learned
from farthing.risk.traits import NAMES


def row(**odd: int) -> list[int]:
    """Plain traits, but for what is given."""
    return [
        {"times_usual": 1000, "place_hours": 500, "units": 1000, **odd}.get(n, 0) for n in NAMES
    ]


def plain(count: int) -> list[list[int]]:
    dice = random.Random(1)
    return [
        row(times_usual=dice.randrange(200, 3000), place_hours=dice.randrange(900))
        for _ in range(count)
    ]


def test_a_detector_finds_what_is_rare_without_being_told():
    detector = Detector(plain(2000))
    usual, much, away, both = detector.score(
        [row(), row(times_usual=9000), row(place_hours=-1), row(times_usual=9000, place_hours=-1)]
    )
    assert usual < much < both
    assert usual < away < both


def test_a_detector_says_nothing_of_a_trait_that_never_differs():
    seen = [row(place_hours=-1) for _ in range(100)]
    assert Detector(seen).score([row(place_hours=-1)])[0] == pytest.approx(
        Detector(seen).score([row(place_hours=-1, units=5)])[0]
    )
    assert Detector(seen).score([row(place_hours=-1)])[0] < 0.1


def test_a_learned_model_finds_the_like_of_what_it_was_told():
    seen = [*plain(400), *[row(payee_bad_share=900) for _ in range(60)]]
    learned = Learned(seen, [False] * 400 + [True] * 60)
    good, bad = learned.score([row(), row(payee_bad_share=950)])
    assert good < 0.1
    assert bad > 0.9


def test_the_same_seed_learns_the_same():
    seen, bad = [*plain(400), *[row(units=9) for _ in range(60)]], [False] * 400 + [True] * 60
    assert Learned(seen, bad, seed=3).score(seen) == Learned(seen, bad, seed=3).score(seen)


def test_there_is_nothing_to_learn_from_good_ones_alone():
    with pytest.raises(InvariantBroken):
        Learned(plain(10), [False] * 10)
    with pytest.raises(InvariantBroken):
        Detector([])


def test_without_the_extra_its_command_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(PlugMissing, match=r"pip install 'farthing\[risk\]'"):
        Detector(plain(3))
