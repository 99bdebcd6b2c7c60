"""What the history says of orders: each as it was kept when it was decided, in that order.

A leaf of a payment is that of its order where the commit is as old as the payment; of a payment
that its owner was asked about, the one that took the money is where it was answered.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from farthing import ids
from farthing.books import rows
from farthing.books.base import Tx
from farthing.clock import NS
from farthing.core.devices import DEVICES
from farthing.core.flags import flagged_by
from farthing.core.judgements import Kept, Ordered
from farthing.core.mandates import MANDATES
from farthing.core.payments import PAYMENTS, Payment, Place, State

PAGE = 2000
_UNPAID = (State.REFUSED, State.AWAITING)
_LEAVES = (
    "SELECT leaves.subject, time_ns, last_ns FROM leaves"
    " JOIN commits ON commits.number = leaves.commit_number"
    " WHERE leaves.number >= ? AND leaves.number < ? ORDER BY leaves.number"
)


def followed(tx: Tx, first: int, end: int) -> Iterator[Kept]:
    """Give the orders of these leaves, before `end`; few of them are in memory at once."""
    return (kept for _, kept in followed_by_name(tx, first, end))


def followed_by_name(tx: Tx, first: int, end: int) -> Iterator[tuple[str, Kept]]:
    """Give the orders of these leaves as `followed` does, each with its payment's id."""
    zones: dict[str, str] = {}
    for start in range(first, end, PAGE):
        page = tx.rows(_LEAVES, (start, min(start + PAGE, end)))
        if not page:
            return
        names = {ids.name("pay", int.from_bytes(row[0], "big")) for row in page if any(row[0])}
        payments = tx.fetch(PAYMENTS, sorted(names))
        learn_zones(tx, zones, {payment.device for payment in payments.values()})
        yield from _of_page(tx, page, payments, zones)


def _of_page(
    tx: Tx, page: Sequence[Any], payments: dict[str, Payment], zones: dict[str, str]
) -> Iterator[tuple[str, Kept]]:
    taken = _taken_ns(tx, payments)
    seen: set[tuple[str, bool]] = set()
    for subject, time_ns, last_ns in page:
        payment = payments.get(ids.name("pay", int.from_bytes(subject, "big")))
        if payment is None:
            continue
        asked, name = payment.ask_ends_ns > 0, payment.id
        if payment.created_ns == time_ns and (name, False) not in seen:
            seen.add((name, False))
            paid = not asked and payment.state is not State.REFUSED
            ordered = _ordered(payment, time_ns, zones)
            yield name, Kept(ordered, paid, flagged=flagged_by(payment))
        elif time_ns <= taken.get(name, 0) <= last_ns and (name, True) not in seen:
            seen.add((name, True))
            ordered = _ordered(payment, time_ns, zones)
            yield name, Kept(ordered, paid=True, answered=True)


def _ordered(payment: Payment, at_ns: int, zones: dict[str, str]) -> Ordered:
    zone = zones.get(payment.device, "UTC")
    return Ordered(payment.device, payment.payee, payment.amount, at_ns // NS, zone)


def _taken_ns(tx: Tx, payments: dict[str, Payment]) -> dict[str, int]:
    """Tell when the money was taken of payments that their owner was asked about first."""
    asked = {
        ids.place(payment.number, Place.HOLD): payment.id
        for payment in payments.values()
        if payment.ask_ends_ns and payment.state not in _UNPAID
    }
    found = rows.fetch_transfers(tx, list(asked)) if asked else {}
    return {asked[ident]: transfer.timestamp for ident, transfer in found.items()}


def learn_zones(tx: Tx, zones: dict[str, str], devices: set[str]) -> None:
    """Learn the time zones of devices, which are those of their mandates as they are now."""
    found = tx.fetch(DEVICES, sorted(devices - zones.keys()))
    mandates = tx.fetch(MANDATES, sorted({device.mandate for device in found.values()}))
    for ident, device in found.items():
        if device.mandate in mandates:
            zones[ident] = mandates[device.mandate].zone
