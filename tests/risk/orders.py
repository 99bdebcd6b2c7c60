"""Orders for the tests of risk: drawn at random, or plain facts with one thing odd."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from farthing.core.judgements import Ordered
from farthing.risk.base import Facts

NOON = 1_790_000_000 - 1_790_000_000 % 86_400 + 12 * 3600
"""A noon in UTC."""

QUIET = Facts(
    device="dev_1",
    payee="acc_1",
    place="home",
    units=1000,
    hour=12,
    minute_orders=1,
    last_hour_payments=3,
    last_hour_units=3000,
    device_payments=500,
    usual_units=1000,
    largest_units=2000,
    hour_payments=60,
    hours_counted=200,
    pair_payments=40,
    places_known=1,
    place_payments=400,
    placed_payments=450,
    payee_payments=9000,
    payee_day_strangers=3,
    payee_month_strangers=80,
    model_rank=60_000,
)
"""An order of which nobody has anything to say."""


def facts(**odd: Any) -> Facts:
    """Plain facts, but for what is given."""
    return msgspec.structs.replace(QUIET, **odd)


def order(**given: Any) -> Ordered:
    """A plain order, but for what is given."""
    return Ordered(**{"device": "dev_1", "payee": "acc_1", "units": 1000, "at": NOON} | given)


@st.composite
def histories(draw: st.DrawFn, most: int = 60) -> list[tuple[Ordered, bool]]:
    """Draw orders in the books' order, each with whether it was paid."""
    now = NOON
    history: list[tuple[Ordered, bool]] = []
    steps = st.sampled_from([0, 1, 9, 10, 61, 599, 3600, 3 * 3600, 86_400, 40 * 86_400])
    for _ in range(draw(st.integers(0, most))):
        now += draw(steps)
        ordered = Ordered(
            draw(st.sampled_from(["dev_1", "dev_2", "dev_3"])),
            draw(st.sampled_from(["acc_1", "acc_2", "acc_3", "acc_4"])),
            draw(st.sampled_from([0, 1, 7, 1000, 2**62])),
            now,
            draw(st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York"])),
            draw(st.sampled_from(["", "home", "elsewhere"])),
        )
        history.append((ordered, draw(st.booleans())))
    return history
