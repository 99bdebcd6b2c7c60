"""A ladder: the same rules with the word of a model at several thresholds, and without it."""

from collections.abc import Sequence
from typing import NamedTuple

from farthing.risk.judging import Armed, Judge
from farthing.risk.rules.model import Model
from farthing.risk.typologies import Typology

MODEL = "model"
RANKS = (99_000, 99_500, 99_900, 99_950, 99_990)
"""Where a threshold may sensibly be: from one order in a hundred to one in ten thousand."""


class Ladder(NamedTuple):
    """Judges who differ in when they hear a model. Shape: `steps` begin with the lowest rank."""

    without: Judge
    steps: Sequence[tuple[int, Judge]]


ALONE = Ladder(Judge([], {}), ())
"""A ladder for where no model is tried."""


def ladder_of(armed: Sequence[Armed], typologies: dict[str, Typology]) -> Ladder:
    """Make a judge for each threshold, that which is set among them; the model's rule is on."""
    others = [one for one in armed if one.name != MODEL]
    ranks = {*RANKS, *(one.rule.rank_min for one in armed if isinstance(one.rule, Model))}
    steps = [
        (rank, Judge([*others, Armed(MODEL, Model(rank))], typologies)) for rank in sorted(ranks)
    ]
    return Ladder(Judge(others, typologies), steps)
