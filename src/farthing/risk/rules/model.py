"""A device of whose orders a model found one odd, within the last hour."""

from typing import Annotated

import msgspec

from farthing.risk.base import NEVER, Facts
from farthing.risk.quantiles import RANK_MAX, RANK_TOLD_MIN


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Speaks where a model, that scores once an order is answered, found one odder than most."""

    rank_min: Annotated[int, msgspec.Meta(ge=RANK_TOLD_MIN, le=RANK_MAX)] = 99_900

    def patience(self, facts: Facts) -> int:
        """What a model finds ends the calm by itself."""
        return 0 if facts.model_rank >= self.rank_min else NEVER

    def judge(self, facts: Facts) -> str | None:
        """Hold what the model said last against the least that is spoken of."""
        rank = facts.model_rank
        if rank < self.rank_min:
            return None
        rarer = max(0, RANK_MAX - rank)
        return f"a model found a payment of the last hour odder than all but {rarer} in 100,000"


PLUG = Model
