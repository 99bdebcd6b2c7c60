"""How a story's hub judges orders, if it does: its seed says so."""

from random import Random
from typing import Any, NamedTuple

from farthing.settings import RiskSettings


class Judging(NamedTuple):
    """What becomes of an order after so many of its device within a minute."""

    most: int
    act: str

    def settings(self) -> RiskSettings:
        """Write it as `[risk]`: one rule, and one pattern of it."""
        line = {"review": 60, "stop": None} if self.act == "ask" else {"review": None, "stop": 60}
        others = ("spike", "new_payee", "odd_hours", "small_then_large", "strangers", "listed")
        rules: dict[str, Any] = {name: {"state": "off"} for name in (*others, "new_place", "model")}
        rules["velocity"] = {"orders_per_minute_max": self.most}
        return RiskSettings(mode="on", rules=rules, typologies={"runaway": line})


def judging_of(luck: Random) -> Judging | None:
    """Draw how a hub judges: half of them do not."""
    if luck.random() < 0.5:
        return None
    return Judging(luck.choice((10, 20)), luck.choice(("ask", "refuse")))
