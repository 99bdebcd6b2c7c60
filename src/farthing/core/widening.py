"""Whether a changed mandate permits anything that it did not permit before.

A stop must never be slow, and a door is opened with care: who narrows a mandate needs no passkey,
who widens one does. Where it is not plain that a change only narrows, it counts as one that widens.
"""

from collections.abc import Sequence

from farthing.core.lines import NEVER, line_of, loosens
from farthing.core.mandates import Budget, Mandate


def widens(before: Mandate, after: Mandate) -> bool:
    """Tell whether any order that was refused or asked about before could now go through."""
    return not (
        after.largest <= before.largest
        and _asks_above(after) <= _asks_above(before)
        and not loosens(before.two_above, after.two_above)
        and _fewer(before.payees, after.payees)
        and _fewer(before.categories, after.categories)
        and _fewer(before.hours, after.hours)
        and (after.expires or NEVER) <= (before.expires or NEVER)
        and _answers_for_itself(after) <= _answers_for_itself(before)
        and (after.zone == before.zone or not (before.hours or before.budgets))
        and all(_kept(budget, after.budgets) for budget in before.budgets)
    )


def _asks_above(mandate: Mandate) -> int:
    """Give the amount above which anybody is asked: where two have to approve, they are."""
    return min(line_of(mandate.ask_above), line_of(mandate.two_above))


def _fewer(before: Sequence[str], after: Sequence[str]) -> bool:
    """Tell whether a list allows no more than another; an empty one allows everything."""
    return not before or (bool(after) and set(after) <= set(before))


def _answers_for_itself(mandate: Mandate) -> int:
    """Tell how readily silence means yes: the sooner, the more."""
    return 0 if mandate.on_timeout == "refuse" else NEVER - mandate.ask_seconds


def _kept(before: Budget, budgets: Sequence[Budget]) -> bool:
    """Tell whether a limit is still there: under its name, as what was spent counts under that."""
    return any(
        after.name == before.name
        and after.per == before.per
        and after.limit <= before.limit
        and _fewer(after.payees, before.payees)
        and _fewer(after.categories, before.categories)
        for after in budgets
    )
