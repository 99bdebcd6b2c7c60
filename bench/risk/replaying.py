"""The traits of labelled payments, by the very code that streams them live; labels come late."""

from collections.abc import Sequence

from bench.risk.labelled import Labelled
from farthing.risk.traits import Traits

LATE_SECONDS = 7 * 86_400
"""How long after a payment it is told that it was bad."""


def traits_of(payments: Sequence[Labelled]) -> list[list[int]]:
    """Replay payments in their order, and tell of each bad one a week after it."""
    traits, found = Traits(), list[list[int]]()
    told = 0
    for one in payments:
        while payments[told].ordered.at + LATE_SECONDS <= one.ordered.at:
            if payments[told].scenario:
                traits.tell_bad(payments[told].ordered)
            told += 1
        found.append(traits.of(one.ordered))
        traits.keep(one.ordered)
    return found
