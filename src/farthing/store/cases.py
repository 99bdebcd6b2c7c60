"""Cases: how many wait, what was decided, and which payments are near one."""

from collections.abc import Iterator
from typing import NamedTuple

from farthing.core.cases import CASES, Case, Standing
from farthing.core.payments import PAYMENTS, Payment
from farthing.store.database import Tx
from farthing.store.mapping import mapping

NEAR_MAX = 2000
"""How many payments are looked through on each side of one: a case page takes no longer."""

_PAGE = 500


class Label(NamedTuple):
    """What people have decided of a payment: `fraud`, `legitimate` or `unclear`."""

    payment: str
    verdict: str
    by: str
    at_ns: int


def waiting(tx: Tx) -> dict[str, int]:
    """Count the cases that are not decided, by how far they are."""
    found = tx.rows(
        "SELECT state, COUNT(*) FROM cases WHERE state IN ('open', 'proposed') GROUP BY state"
    )
    counts = dict(found)
    return {state.value: counts.get(state.value, 0) for state in (Standing.OPEN, Standing.PROPOSED)}


def labels(tx: Tx, after: str = "") -> Iterator[Label]:
    """Give each decision as it is now, by the age of payments; few are in memory at once.

    Shape: `after` is a case's name, as old as its payment's.
    """
    mapped = mapping(CASES)
    sql = f"{mapped.select} WHERE state = 'decided' AND id > ? ORDER BY id LIMIT {_PAGE}"
    while rows := tx.rows(sql, (after,)):
        for values in rows:
            case = mapped.row(values)
            yield Label(case.payment, case.verdict, case.decided_by, case.changed_ns)
            after = case.id


def of_device(tx: Tx, payment: Payment, before: int, later: int) -> list[Payment]:
    """List payments of a payment's device around it, newest first."""
    where = "owner", payment.owner, "device", payment.device
    return [*_near(tx, payment.id, where, later)[::-1], *_near(tx, payment.id, where, -before)]


def of_payee(tx: Tx, payment: Payment, before: int, later: int) -> list[Payment]:
    """List what other devices paid to a payment's payee around it, newest first."""
    where = "payee_owner", payment.payee_owner, "payee", payment.payee
    found = [*_near(tx, payment.id, where, later)[::-1], *_near(tx, payment.id, where, -before)]
    return [one for one in found if one.device != payment.device]


def _near(tx: Tx, ident: str, where: tuple[str, str, str, str], count: int) -> list[Payment]:
    """Go from a payment to later ones, or to earlier ones if `count` is less than 0."""
    indexed, owner, column, value = where
    mapped = mapping(PAYMENTS)
    side, order = (">", "ASC") if count > 0 else ("<", "DESC")
    near = (
        f"SELECT id, {column} FROM payments WHERE {mapped.equal(indexed)} AND id {side} ?"  # noqa: S608
        f" ORDER BY id {order} LIMIT {NEAR_MAX}"
    )
    sql = (
        f"SELECT id FROM ({near}) AS near WHERE {mapped.equal(column)} ORDER BY id {order} LIMIT ?"  # noqa: S608
    )
    names = [row[0] for row in tx.rows(sql, (owner, ident, value, abs(count)))]
    found = tx.fetch(PAYMENTS, names)
    return [found[name] for name in names]


def flagged_of(tx: Tx, column: str, value: str, limit: int) -> list[Case]:
    """List the newest cases of a `device` or a `payee`, newest first."""
    mapped = mapping(CASES)
    sql = f"{mapped.select} WHERE {mapped.equal(column)} ORDER BY id DESC LIMIT ?"
    return [mapped.row(row) for row in tx.rows(sql, (value, limit))]
