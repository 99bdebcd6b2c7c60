"""Typologies: what several reasons mean together, with a threshold to ask and one to stop."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from farthing.core.judgements import Act

_Weight = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class Typology(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pattern of misuse: what each rule's word weighs in it, and when that is enough.

    Shape: at `review` the owner is asked, at `stop` the order is refused; None is never.
    """

    weights: Mapping[str, _Weight]
    review: _Weight | None = None
    stop: _Weight | None = None

    def act(self, weight: int) -> Act:
        """Tell what this much weight asks for."""
        if self.stop is not None and weight >= self.stop:
            return Act.REFUSE
        if self.review is not None and weight >= self.review:
            return Act.ASK
        return Act.ALLOW


BUILT_IN: Mapping[str, Typology] = {
    "known_bad": Typology({"listed": 100}, stop=100),
    "runaway": Typology({"velocity": 60}, review=60),
    "stolen_key": Typology(
        {
            "model": 40,
            "new_payee": 25,
            "new_place": 35,
            "odd_hours": 20,
            "spike": 40,
            "velocity": 30,
        },
        review=60,
        stop=100,
    ),
    "trying_out": Typology(
        {"model": 40, "new_payee": 25, "new_place": 25, "small_then_large": 50}, review=60, stop=100
    ),
    "false_seller": Typology({"new_payee": 20, "spike": 20, "strangers": 40}, review=60),
}
"""Those that are weighed unless one is told otherwise. No word of one soft rule is enough."""
