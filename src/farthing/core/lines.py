"""Amounts above which somebody is asked: a line that is not there is above everything."""

from farthing.errors import Forbidden

NEVER = 2**62


def line_of(above: int | None) -> int:
    """Give a line as a number."""
    return NEVER if above is None else above


def loosens(before: int | None, after: int | None) -> bool:
    """Tell whether one person could approve what two had to: the line is higher now, or gone."""
    return line_of(after) > line_of(before)


def need_two_people() -> Forbidden:
    """Refuse one person, and whoever has a key, what lets one approve what two had to."""
    detail = "it takes two people, where they are signed in: one wants it, another agrees"
    return Forbidden("two-people-needed", detail)
