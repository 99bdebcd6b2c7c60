"""Orders of the past as the books have them, in the order in which they came in."""

import heapq
from collections.abc import Iterator
from typing import NamedTuple

from farthing import ids
from farthing.clock import NS
from farthing.core.devices import DEVICES
from farthing.core.mandates import MANDATES
from farthing.core.orders import SKEW_SECONDS_MAX
from farthing.core.payments import PAYMENTS
from farthing.store.database import Tx
from farthing.store.mapping import mapping

PAGE = 2000


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


def past_orders(tx: Tx, since_ms: int = 0) -> Iterator[PastOrder]:
    """Give every order since a time in the order of its time, with few of them in memory.

    A payment's id is as old as its order's nonce, and an order may be that much younger than its
    nonce, but older only by a skew of clocks: so what is younger than the newest id can wait.
    """
    waiting: list[PastOrder] = []
    for order in _by_id(tx, since_ms):
        heapq.heappush(waiting, order)
        made_ns = ids.time_ms(ids.number("pay", order.payment)) * 1_000_000
        while waiting and waiting[0].created_ns < made_ns - (SKEW_SECONDS_MAX + 1) * NS:
            yield heapq.heappop(waiting)
    while waiting:
        yield heapq.heappop(waiting)


def _by_id(tx: Tx, since_ms: int) -> Iterator[PastOrder]:
    zones: dict[str, str] = {}
    mapped = mapping(PAYMENTS)
    after = f"{mapped.select} WHERE id > ? ORDER BY id LIMIT {PAGE}"
    page = tx.rows(after, (ids.name("pay", since_ms << 80),))
    while page:
        payments = [mapped.row(row) for row in page]
        _learn_zones(tx, zones, {payment.device for payment in payments})
        for one in payments:
            yield PastOrder(
                one.created_ns, one.id, one.device, one.payee, one.amount, one.state.value,
                one.reason, one.ask_ends_ns > 0, zones.get(one.device, "UTC"),
            )  # fmt: skip
        page = tx.rows(after, (payments[-1].id,))


def _learn_zones(tx: Tx, zones: dict[str, str], devices: set[str]) -> None:
    found = tx.fetch(DEVICES, sorted(devices - zones.keys()))
    mandates = tx.fetch(MANDATES, sorted({device.mandate for device in found.values()}))
    for ident, device in found.items():
        if device.mandate in mandates:
            zones[ident] = mandates[device.mandate].zone
