"""How hard random tests try: `make prove` sets FARTHING_TEST_EFFORT to more than 1."""

import os
import secrets

EFFORT = int(os.environ.get("FARTHING_TEST_EFFORT", "1"))
REPEATED = EFFORT == 1
"""In everyday runs examples are the same each time where a test asks for that."""


def examples(count: int) -> int:
    return count * EFFORT


_DRAW = "FARTHING_TEST_DRAW"
ALL_DRAWN = {_DRAW: "all"}
"""The environment of a run that must see all there is to see."""


def choose_draw() -> None:
    """Choose by what this run, and each process of it, draws the tests that not every run needs."""
    os.environ.setdefault(_DRAW, str(secrets.randbelow(10**6)))


def draw() -> str:
    """Give what was chosen: a seed, or `all` where nothing may be left out."""
    return os.environ.get(_DRAW, "all")
