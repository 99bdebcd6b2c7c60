"""Orders of the past as the books have them, in the order in which they came in."""

import heapq
from collections.abc import Iterator
from typing import NamedTuple

from farthing import ids
from farthing.clock import NS
from farthing.core.devices import DEVICES
from farthing.core.mandates import MANDATES
from farthing.core.orders import SKEW_SECONDS_MAX
from farthing.core.payments import PAYMENTS, State
from farthing.store.database import Tx
from farthing.store.mapping import mapping

PAGE = 2000

_UNPAID = (State.REFUSED.value, State.AWAITING.value)


class PastOrder(NamedTuple):
    """One order, and what became of it.

    Units: `amount` counts smallest units; `created_ns` is the books' time.
    Shape: `zone` is that of the device's mandate as it is now; `asked` is whether the owner was.
    """

    created_ns: int
    payment: str
    device: str
    payee: str
    amount: int
    state: str
    reason: str
    asked: bool
    zone: str

    @property
    def was_paid(self) -> bool:
        """Whether it was authorised; what was voided or expired later, was."""
        return self.state not in _UNPAID


class InTime:
    """Puts orders that come by their ids into the order of their time, with few of them waiting.

    A payment's id is as old as its order's nonce, and an order may be that much younger than its
    nonce, but older only by a skew of clocks: so what is younger than the newest id can wait.
    """

    def __init__(self) -> None:
        self._waiting: list[PastOrder] = []

    def add(self, order: PastOrder) -> Iterator[PastOrder]:
        """Take the next order by its id, and give those before which none can come any more."""
        waiting = self._waiting
        heapq.heappush(waiting, order)
        made_ns = ids.time_ms(ids.number("pay", order.payment)) * 1_000_000
        while waiting and waiting[0].created_ns < made_ns - (SKEW_SECONDS_MAX + 1) * NS:
            yield heapq.heappop(waiting)

    def rest(self) -> Iterator[PastOrder]:
        """Give those that still wait."""
        while self._waiting:
            yield heapq.heappop(self._waiting)


def past_orders(tx: Tx, since_ms: int = 0) -> Iterator[PastOrder]:
    """Give every order since a time in the order of its time."""
    in_time, zones = InTime(), dict[str, str]()
    page = page_after(tx, begin_of(since_ms), zones, PAGE)
    while page:
        for order in page:
            yield from in_time.add(order)
        page = page_after(tx, page[-1].payment, zones, PAGE)
    yield from in_time.rest()


def begin_of(since_ms: int) -> str:
    """Give what comes before the ids of all orders since a time."""
    return ids.name("pay", since_ms << 80)


def page_after(tx: Tx, after: str, zones: dict[str, str], limit: int) -> list[PastOrder]:
    """Give the next orders by their ids. Shape: `zones` are those of devices that are known."""
    mapped = mapping(PAYMENTS)
    page = tx.rows(f"{mapped.select} WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
    payments = [mapped.row(row) for row in page]
    _learn_zones(tx, zones, {payment.device for payment in payments})
    return [
        PastOrder(
            one.created_ns, one.id, one.device, one.payee, one.amount, one.state.value,
            one.reason, one.ask_ends_ns > 0, zones.get(one.device, "UTC"),
        )
        for one in payments
    ]  # fmt: skip


class Stretch(NamedTuple):
    """Some orders by their ids: those after one, how many, and up to which leaf there is none."""

    after: str
    orders: int
    leaf: int
    is_whole: bool


def newest_since(tx: Tx, since_ms: int, most: int) -> Stretch:
    """Find the orders since a time, the newest so many at most."""
    after = begin_of(since_ms)
    newest = "SELECT id, leaf FROM payments WHERE id > ? ORDER BY id DESC LIMIT ?"
    found = tx.rows(
        f"SELECT MIN(id), COUNT(*), MIN(leaf) FROM ({newest}) AS newest",  # noqa: S608
        (after, most + 1),
    )
    [(first, count, leaf)] = found
    if count > most:
        return Stretch(first, most, leaf - 1, is_whole=False)
    return Stretch(after, count, (leaf or 1) - 1, is_whole=True)


def _learn_zones(tx: Tx, zones: dict[str, str], devices: set[str]) -> None:
    found = tx.fetch(DEVICES, sorted(devices - zones.keys()))
    mandates = tx.fetch(MANDATES, sorted({device.mandate for device in found.values()}))
    for ident, device in found.items():
        if device.mandate in mandates:
            zones[ident] = mandates[device.mandate].zone
