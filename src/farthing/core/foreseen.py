"""What a mandate would have done with orders that were made: said before it is set.

It follows the mandate's own rules and counts its budgets by their periods. It says nothing of
money, of risk, or of how an owner would have answered: an order that asks spends its budget here.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from farthing.clock import NS
from farthing.core.mandates import Mandate, must_ask, needs_two, rule_refusal
from farthing.core.periods import period_at
from farthing.core.refusals import Refusal


class Asked(NamedTuple):
    """An order that a device has made. Units: smallest units; ns."""

    payee: str
    category: str
    units: int
    created_ns: int


class Foreseen(NamedTuple):
    """How many orders there were, were to be asked about, and refused; the rest goes through.

    Shape: `by_two` are those of `asked` that two people would have had to approve.
    """

    orders: int
    asked: int
    refused: int
    by_two: int = 0


def foresee(mandate: Mandate, orders: Iterable[Asked]) -> Foreseen:
    """Put orders to a mandate, one after another. Shape: `orders` come oldest first."""
    spent: Counter[tuple[str, int]] = Counter()
    total = asked = refused = by_two = 0
    for order in orders:
        total += 1
        if _refused(mandate, order, spent):
            refused += 1
        elif must_ask(mandate, order.units):
            asked += 1
            by_two += needs_two(mandate, order.units)
    return Foreseen(total, asked, refused, by_two)


def _refused(mandate: Mandate, order: Asked, spent: Counter[tuple[str, int]]) -> bool:
    """Tell whether one order is refused, and count it in its budgets where it is not."""
    now = order.created_ns // NS
    if rule_refusal(mandate, order.payee, order.category, order.units, now) not in _PASSED:
        return True
    places: list[tuple[str, int]] = []
    for budget in mandate.budgets:
        if budget.covers(order.payee, order.category):
            place = budget.name, period_at(budget.per, mandate.zones, now).start
            if spent[place] + order.units > budget.limit:
                return True
            places.append(place)
    for place in places:
        spent[place] += order.units
    return False


_PASSED = (None, Refusal.MANDATE_EXPIRED)
"""The end of a mandate is about what comes, not about what was."""
