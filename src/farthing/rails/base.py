"""What every rail keeps to: an instruction goes to it, a report comes back.

A rail is asked under our reference. Asked twice with the same, it does the thing once and reports
the same; so an answer that was lost costs nothing but another question. `testing/rail_contract.py`
puts any rail to this.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from farthing.core.bounds import UNBOUNDED, Bounds
from farthing.core.movements import Direction, Said


@dataclass(frozen=True, slots=True)
class Instruction:
    """What a rail is told to do. Units: smallest units of the asset.

    Shape: `reference` is ours, and names the instruction for good; `place` is where the money
           comes from or goes to, in the rail's own words.
    """

    reference: str
    direction: Direction
    units: int
    asset: str
    place: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a rail says: `settled` and `failed` are its last word, of which it never takes back
    any; `pending` may become either; `unknown` means that the answer was not heard.
    """

    outcome: Said
    rail_reference: str = ""
    reason: str = ""


class Rail(Protocol):
    """Moves money in and out. Neither method raises for what the other side does."""

    @property
    def name(self) -> str: ...

    @property
    def is_money(self) -> bool:
        """Whether anybody would give something for what it moves."""
        ...

    async def send(self, instruction: Instruction) -> Report:
        """Have it done, once for each reference, however often it is asked.

        Raises: Conflict `reference-reused` for a reference that was used for something else.
        """
        ...

    async def look_up(self, reference: str) -> Report | None:
        """Ask what became of an instruction; None where the rail has none under this reference."""
        ...


@runtime_checkable
class NamesPlaces(Protocol):
    """A rail with a few places of its own to choose from; others take what a person writes."""

    places: Sequence[str]


@runtime_checkable
class BoundsTopUps(Protocol):
    """A rail that lets no more than so much come in."""

    bounds: Bounds


def bounds_of(rail: Rail) -> Bounds:
    """Give how much a rail lets come in; one that says nothing has no bounds."""
    return rail.bounds if isinstance(rail, BoundsTopUps) else UNBOUNDED
