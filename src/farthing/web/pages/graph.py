"""A case and what has to do with it, as a drawing: devices, what they paid, and to whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farthing.core.cases import Case
from farthing.core.payments import Payment
from farthing.services.cases import CaseFile

WIDTH, ROW, TOP = 400, 44, 34
LEFT, RIGHT = 10, WIDTH - 10
PILL, PILL_LEFT = 128, (WIDTH - 128) // 2
_NAME_MAX = 17


@dataclass(frozen=True, slots=True)
class End:
    """A device or a payee. Units: places count pixels of the drawing."""

    name: str
    whole: str
    y: int
    is_own: bool


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment. Shape: `lines` go to it from its device, and from it to its payee."""

    payment: Payment
    case: Case | None
    y: int
    is_own: bool
    lines: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Graph:
    """The drawing: two columns of ends, and payments between them, newest on top."""

    height: int
    devices: Sequence[End]
    payees: Sequence[End]
    payments: Sequence[Paid]


def drawn(found: CaseFile, names: Mapping[str, str]) -> Graph:
    """Place everything: an end stands in the middle of its payments, and no two on one another."""
    own = found.payment
    rows: list[tuple[Payment, Case | None]] = [
        (own, found.case),
        *((one.payment, one.case) for one in found.related),
    ]
    rows.sort(key=lambda row: row[0].id, reverse=True)
    places = [TOP + ROW * i + ROW // 2 for i in range(len(rows))]
    devices = _ends([row.device for row, _ in rows], places, own.device, names)
    payees = _ends([row.payee for row, _ in rows], places, own.payee, names)
    payments = [
        Paid(row, case, y, row.id == own.id, _lines(devices[row.device].y, y, payees[row.payee].y))
        for (row, case), y in zip(rows, places, strict=True)
    ]
    # What the case is of is drawn last, over all others.
    payments.sort(key=lambda one: one.is_own)
    height = max([places[-1], *(end.y for end in (*devices.values(), *payees.values()))])
    return Graph(height + ROW // 2 + 8, list(devices.values()), list(payees.values()), payments)


def _ends(
    idents: Sequence[str], places: Sequence[int], own: str, names: Mapping[str, str]
) -> dict[str, End]:
    among: dict[str, list[int]] = {}
    for ident, y in zip(idents, places, strict=True):
        among.setdefault(ident, []).append(y)
    found: dict[str, End] = {}
    least = TOP + ROW // 2
    for ident in sorted(among, key=lambda one: sum(among[one]) / len(among[one])):
        y = max(least, sum(among[ident]) // len(among[ident]))
        whole = names.get(ident, ident)
        name = whole if len(whole) <= _NAME_MAX else f"{whole[: _NAME_MAX - 1]}…"
        found[ident] = End(name, whole, y, ident == own)
        least = y + ROW
    return found


def _lines(device: int, y: int, payee: int) -> tuple[str, str]:
    start, end, bend = PILL_LEFT, PILL_LEFT + PILL, 44
    return (
        f"M{LEFT} {device}C{LEFT + bend} {device} {start - bend} {y} {start} {y}",
        f"M{end} {y}C{end + bend} {y} {RIGHT - bend} {payee} {RIGHT} {payee}",
    )
