"""What fees came to: added up from what was told of each when it was taken or went back."""

from typing import Any, NamedTuple

from farthing.core.events import EVENTS
from farthing.store.database import Tx
from farthing.store.mapping import mapping

_MEMBER = {"sqlite": "json_extract(body, '$.{}')", "postgresql": "(body::json ->> '{}')"}


class FeeTotal(NamedTuple):
    """What one fee came to in one period, for one account.

    Units: `start_ns` is when the period begins, 0 where all is one; `payments` counts those that
           gave something.
    Shape: `of` is `hub` or an offer's id.
    """

    start_ns: int
    of: str
    account: str
    asset: str
    taken: int
    returned: int
    payments: int


class Place(NamedTuple):
    """Where a total stands among all, newest period first."""

    start_ns: int
    of: str
    account: str


def fee_totals(
    tx: Tx,
    owner: str | None,
    since_ns: int,
    until_ns: int,
    period_ns: int,
    after: Place | None,
    limit: int,
) -> list[FeeTotal]:
    """Add up fees from `since_ns` on and before `until_ns`, for one owner's accounts or for all.

    Units: `period_ns` is how long a period is, counted from 1970; 0 makes the whole one period.
    Shape: totals behind `after` only, newest period first.
    """
    of, account, asset, units = (_member(tx, name) for name in ("of", "account", "asset", "units"))
    start = f"time_ns / {period_ns} * {period_ns}" if period_ns else "0"
    where = "kind IN ('fee.taken', 'fee.returned') AND time_ns >= ? AND time_ns < ?"
    values: list[Any] = [since_ns, until_ns]
    if owner is not None:
        where, values = f"{where} AND {mapping(EVENTS).equal('owner')}", [*values, owner]
    if after is not None:
        where, values = f"{where} AND ({start}, {of}, {account}) < (?, ?, ?)", [*values, *after]
    sums = ", ".join(
        f"CAST(SUM(CASE WHEN kind = '{kind}' THEN {counted} ELSE 0 END) AS BIGINT)"
        for kind, counted in (
            ("fee.taken", f"CAST({units} AS BIGINT)"),
            ("fee.returned", f"CAST({units} AS BIGINT)"),
            ("fee.taken", "1"),
        )
    )
    sql = (
        f"SELECT {start}, {of}, {account}, {asset}, {sums} FROM events WHERE {where}"  # noqa: S608 - our words
        " GROUP BY 1, 2, 3, 4 ORDER BY 1 DESC, 2 DESC, 3 DESC LIMIT ?"
    )
    return [FeeTotal(*row) for row in tx.rows(sql, [*values, limit])]


def _member(tx: Tx, name: str) -> str:
    """Name a member of an event's body, as each engine reads JSON."""
    return _MEMBER[tx.dialect].format(name)
