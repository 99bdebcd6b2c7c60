"""Usage by meter: what was counted and promised in sessions, meter by meter."""

from dataclasses import dataclass

from farthing.core.sessions import SESSIONS, TARIFFS, Phase, Session
from farthing.core.tariffs import Tariff, affordable, read_tariff
from farthing.store.database import Tx
from farthing.store.queries import PAGE_MAX, page
from farthing.web.api.endpoint import Reply
from farthing.web.pages.visit import Visit

SESSIONS_MAX = 2_000
"""The newest sessions that are added up: more would keep others waiting."""


@dataclass(slots=True)
class Meter:
    """What was sold by one tariff for one purpose.

    Units: `units`, `held` and `price` count smallest units of money; `count` and `every` count what
           the tariff counts.
    Shape: `count` is what is paid for by what was promised, session by session.
    """

    purpose: str
    asset: str
    counts: str
    price: int
    every: int
    sessions: int = 0
    open: int = 0
    count: int = 0
    units: int = 0
    held: int = 0


async def usage_page(visit: Visit) -> Reply:
    """Show what was used of each thing that is sold by count."""
    ctx, owner = visit.call.desk.ctx, visit.me.person.owner
    async with visit.call.desk.turns.turn(owner):
        meters, whole = await ctx.database.read(lambda tx: _meters(tx, owner))
    return visit.page("usage.html", meters=meters, whole=whole, most=SESSIONS_MAX)


def _meters(tx: Tx, owner: str) -> tuple[list[Meter], bool]:
    found: dict[tuple[bytes, str], Meter] = {}
    tariffs: dict[bytes, Tariff] = {}
    seen, after = 0, ""
    while seen < SESSIONS_MAX:
        rows = page(tx, SESSIONS, {"payee_owner": owner}, after=after, limit=PAGE_MAX)
        missing = {row.tariff for row in rows} - set(tariffs)
        told = tx.fetch(TARIFFS, list(missing)).items() if missing else ()
        tariffs |= {digest: read_tariff(text.text) for digest, text in told}
        for row in rows:
            if row.tariff in tariffs:
                _add(found, row, tariffs[row.tariff])
        seen += len(rows)
        if len(rows) < PAGE_MAX:
            break
        after = rows[-1].id
    return sorted(found.values(), key=lambda one: -one.units), seen < SESSIONS_MAX


def _add(found: dict[tuple[bytes, str], Meter], row: Session, tariff: Tariff) -> None:
    key, tier = (row.tariff, row.purpose), tariff.tiers[0]
    if key not in found:
        price, every = int(tier.amount), int(tier.per)
        found[key] = Meter(row.purpose, row.asset, tariff.counts, price, every)
    meter = found[key]
    meter.sessions += 1
    meter.count += max(0, affordable(tariff, row.units)) if row.units else 0
    meter.units += row.units
    if row.state is Phase.OPEN:
        meter.open += 1
        meter.held += row.deposit - row.units
