"""What is said of an order before it is authorised, and by whom: rules are `farthing.risk`'s.

The books know only what stands here: orders are judged one after the other, each by all that was
kept before it, and what a commit kept counts once that commit is durable.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol, Self

import msgspec


class Ordered(msgspec.Struct, frozen=True, gc=False):
    """An order as it is judged, before anything is decided of it.

    Units: `units` counts smallest units of the device's asset; `at` is Unix seconds, by the books.
    Shape: `zone` is the time zone that the owner's mandate is read in; `place` is wherever the
           order came from, by whatever name the caller has for it, and empty if that is unknown.
    """

    device: str
    payee: str
    units: int
    at: int
    zone: str = "UTC"
    place: str = ""


class Act(StrEnum):
    """What is to be done with an order."""

    ALLOW = "allow"
    ASK = "ask"
    REFUSE = "refuse"


class Reason(NamedTuple):
    """Which rule spoke, and what it said. Shape: `acts` is false of a rule in shadow."""

    rule: str
    said: str
    acts: bool = True


class Judgement(NamedTuple):
    """What is to be done with an order, and why.

    Shape: `act` counts the rules that are on; `would` counts those in shadow too; `typologies` are
           those that `would` follows from; `failed` are rules that broke, and so said nothing.
    """

    act: Act
    would: Act
    reasons: Sequence[Reason] = ()
    typologies: Sequence[str] = ()
    failed: Sequence[str] = ()


CLEAR = Judgement(Act.ALLOW, Act.ALLOW)
"""Nothing was said."""


class Kept(msgspec.Struct, frozen=True, gc=False):
    """An order that was decided, and so is known from now on.

    Shape: `paid` is whether it was authorised; `answered` where the order itself was kept before,
           and its owner has approved of it now; `flagged` are the typologies it was flagged by.
    """

    ordered: Ordered
    paid: bool
    answered: bool = False
    flagged: Sequence[str] = ()


class Ranked(NamedTuple):
    """How odd a model found an order of a device's, which it hears of once the order is answered.

    Units: `rank` is how many of a hundred thousand it found less odd; `at` is Unix seconds.
    """

    device: str
    rank: int
    at: int


class Supposed(NamedTuple):
    """What is judged of an order, and how it is kept if that is all that stands against it."""

    judgement: Judgement
    kept: Kept


class Draft(Protocol):
    """What one commit adds to what is known: its own orders know each other, nobody else does."""

    def judge(self, ordered: Ordered) -> Judgement:
        """Judge an order by all that was kept before it, here too. Nothing is kept."""
        ...

    def keep(self, kept: Kept) -> None:
        """Know an order from here on."""
        ...

    def suppose(self, orders: Sequence[Ordered]) -> Sequence[Supposed]:
        """Judge orders, and keep each as if it were paid where it is allowed."""
        ...

    def first(self, count: int) -> Self:
        """Give the same draft after so many orders were kept."""
        ...


class Judges(Protocol):
    """Whoever judges orders, and remembers those that were."""

    @property
    def reach(self) -> int:
        """How much of the newest history is enough to know what should be known."""
        ...

    def draft(self) -> Draft:
        """Begin with the orders of one commit."""
        ...

    def take(self, draft: Draft) -> None:
        """Know what a draft has kept: its commit is durable."""
        ...

    def heed(self, ranked: Sequence[Ranked]) -> None:
        """Hear what a model found of orders that are known already; no draft is open meanwhile."""
        ...

    def anew(self) -> Self:
        """Give the same judge, who knows nothing."""
        ...
