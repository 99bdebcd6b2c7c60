"""What rules said lately: of flagged payments, and of those that somebody has looked at."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from farthing import ids
from farthing.core.cases import Verdict
from farthing.core.flags import Flag, read_flag
from farthing.store.database import Tx

FLAGGED_MAX, ORDERS_MAX = 5_000, 200_000
"""The newest that are counted: more would keep others waiting."""

_FLAGGED = (
    "SELECT payments.risk, cases.verdict, cases.state, cases.id FROM cases"
    " JOIN payments ON payments.id = cases.payment"
    " WHERE cases.id >= ? ORDER BY cases.id DESC LIMIT ?"
)


@dataclass(slots=True)
class Spoken:
    """What one rule, or all together, came to. Shape: `fraud` of `decided` were said to be that."""

    count: int = 0
    decided: int = 0
    fraud: int = 0

    def add(self, verdict: str) -> None:
        """Count one more."""
        self.count += 1
        self.decided += bool(verdict)
        self.fraud += verdict == Verdict.FRAUD


@dataclass(slots=True)
class Lately:
    """What was flagged since a moment.

    Shape: `acts` count what was done, `would` what the rules in shadow would have had done, where
           that is more; `whole` tells whether all flagged payments, and all orders, are in it.
    """

    orders: int = 0
    flagged: Spoken = field(default_factory=Spoken)
    rules: dict[str, Spoken] = field(default_factory=dict[str, Spoken])
    typologies: Counter[str] = field(default_factory=Counter[str])
    acts: Counter[str] = field(default_factory=Counter[str])
    would: Counter[str] = field(default_factory=Counter[str])
    whole: bool = True


def flagged(tx: Tx, since_ns: int, wanted: Callable[[Flag], bool], limit: int) -> list[str]:
    """List the cases since a moment whose flag is as wanted, newest first.

    Shape: of as many as `lately` counts, so that what it counts is what is listed.
    """
    rows = tx.rows(_FLAGGED, (ids.name("cas", _begins(since_ns)), FLAGGED_MAX))
    flags = ((case, read_flag(risk)) for risk, _, _, case in rows)
    return [case for case, flag in flags if flag is not None and wanted(flag)][:limit]


def lately(tx: Tx, since_ns: int) -> Lately:
    """Count what was flagged since a moment, newest first."""
    begins = _begins(since_ns)
    rows = tx.rows(_FLAGGED, (ids.name("cas", begins), FLAGGED_MAX))
    found = Lately(orders=_orders(tx, ids.name("pay", begins)))
    found.whole = len(rows) < FLAGGED_MAX and found.orders < ORDERS_MAX
    for risk, verdict, state, _ in rows:
        _add(found, risk, verdict if state == "decided" else "")
    return found


def _begins(since_ns: int) -> int:
    return since_ns // 1_000_000 << 80


def _add(found: Lately, risk: str, verdict: str) -> None:
    flag = read_flag(risk)
    if flag is None:
        return
    found.flagged.add(verdict)
    found.acts[flag.act.value] += 1
    if flag.would is not flag.act:
        found.would[flag.would.value] += 1
    found.typologies.update(flag.typologies)
    for reason in flag.reasons:
        found.rules.setdefault(reason.rule, Spoken()).add(verdict)


def _orders(tx: Tx, begins: str) -> int:
    some = "SELECT 1 AS one FROM payments WHERE id >= ? LIMIT ?"
    return tx.rows(f"SELECT COUNT(*) FROM ({some}) AS found", (begins, ORDERS_MAX))[0][0]  # noqa: S608
