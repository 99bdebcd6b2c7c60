"""Labelled payments from the generator `synccfd`, as orders in the order of their time.

The generator calls `seed` with fixed numbers inside (0, 1, each customer's number, each day's), so
its own `random_state` changes hardly anything. Here every seed that it sets is shifted, by nothing
for the first data set, which is the generator's own.
"""

import contextlib
import io
import random
import sys
from collections.abc import Iterator
from importlib.metadata import version
from math import floor
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from farthing.core.judgements import Ordered

SHIFT = 100_003
"""By how much the seeds of a data set are apart from those of the one before."""

BEGAN = 1_522_540_800
"""The generator's first day, 2018-04-01, in Unix seconds."""

_CELLS_PER_DEGREE = 10


class Size(NamedTuple):
    """How much is generated."""

    customers: int = 1000
    terminals: int = 2000
    days: int = 60


class Labelled(msgspec.Struct, frozen=True):
    """A payment, and what it was. Shape: `scenario` is 0 for a good one."""

    ordered: Ordered
    scenario: int

    @property
    def day(self) -> int:
        """Days since the first."""
        return (self.ordered.at - BEGAN) // 86_400


def generator() -> str:
    """Name the generator and its version."""
    return f"synccfd {version('synccfd')}"


def labelled(number: int, size: Size, folder: Path) -> list[Labelled]:
    """Give a data set, made once and kept."""
    file = folder / f"synccfd-{number}-{size.customers}-{size.terminals}-{size.days}.msgpack"
    if not file.exists():
        made = generated(number, size)
        folder.mkdir(parents=True, exist_ok=True)
        file.write_bytes(msgspec.msgpack.encode(made))
    return msgspec.msgpack.decode(file.read_bytes(), type=list[Labelled])


def generated(number: int, size: Size) -> list[Labelled]:
    """Generate a data set.

    Shape: a device is a customer's card, a payee a terminal, and a place the cell of a tenth of a
           degree that it is shipped to. Units are cents. What the generator moved to an earlier
           day is sorted anew; among equal times nothing tells the bad from the good.
    """
    from synccfd import DatasetGenerator  # noqa: PLC0415

    with _shifted(number * SHIFT), contextlib.redirect_stdout(io.StringIO()):
        made = DatasetGenerator(
            n_customers=size.customers, n_terminals=size.terminals, nb_days=size.days
        )
        rows = made.generate()[2]
    return sorted((_read(row) for row in rows.itertuples()), key=_by_time)


def _read(row: Any) -> Labelled:
    north, east = row.TX_SHIPP_LAT * _CELLS_PER_DEGREE, row.TX_SHIPP_LONG * _CELLS_PER_DEGREE
    ordered = Ordered(
        f"dev_{int(row.CUSTOMER_ID)}",
        f"acc_{int(row.TERMINAL_ID)}",
        round(row.TX_AMOUNT * 100),
        BEGAN + int(row.TX_TIME_SECONDS),
        place=f"{floor(north)},{floor(east)}",
    )
    return Labelled(ordered, int(row.TX_FRAUD_SCENARIO))


def _by_time(one: Labelled) -> tuple[int, str, str, int]:
    ordered = one.ordered
    return ordered.at, ordered.device, ordered.payee, ordered.units


@contextlib.contextmanager
def _shifted(by: int) -> Iterator[None]:
    """Have every seed that is set meanwhile be a later one."""
    import numpy  # noqa: PLC0415
    import pandas  # noqa: PLC0415

    sample, seed, seed_of_numpy = pandas.core.generic.NDFrame.sample, random.seed, numpy.random.seed

    def sampled(self: Any, *args: Any, random_state: Any = None, **named: Any) -> Any:
        shifted = None if random_state is None else random_state + by
        return sample(self, *args, random_state=shifted, **named)

    random.seed = lambda number: seed(number + by)
    numpy.random.seed = lambda number: seed_of_numpy(number + by)
    pandas.core.generic.NDFrame.sample = sampled
    stderr, sys.stderr = sys.stderr, io.StringIO()  # Its progress bars.
    try:
        yield
    finally:
        sys.stderr = stderr
        random.seed, numpy.random.seed = seed, seed_of_numpy
        pandas.core.generic.NDFrame.sample = sample
