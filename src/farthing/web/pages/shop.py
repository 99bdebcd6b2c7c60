"""The shop: what one's accounts earned, sold and paid out, and what is offered."""

from dataclasses import dataclass, field
from datetime import date, timedelta

from farthing import ids
from farthing.clock import NS, write_time
from farthing.core.movements import MOVEMENTS, Direction, Movement
from farthing.core.offers import OFFERS, OfferRecord
from farthing.core.payments import PAYMENTS, State
from farthing.store.database import Tx
from farthing.store.mapping import mapping
from farthing.store.queries import page
from farthing.web.api.endpoint import Reply
from farthing.web.pages.money import LOOKS
from farthing.web.pages.visit import Visit
from farthing.web.pages.wallet import book_of

DAYS = 7
SALES_MAX = 20_000
"""The newest sales that are added up: more would keep others waiting."""

_LISTED = 50
_PAYOUTS = 5


@dataclass(slots=True)
class Earned:
    """What came in, in one asset. Units: smallest units; `days` has the oldest day first."""

    asset: str
    count: int = 0
    units: int = 0
    days: list[int] = field(default_factory=lambda: [0] * DAYS)

    def bars(self) -> list[tuple[int, int]]:
        """Give each day's place and height, of a hundred; anything at all is seen."""
        top = max(*self.days, 1)
        return [
            (i, max(2 if units else 0, 100 * units // top)) for i, units in enumerate(self.days)
        ]


@dataclass(frozen=True, slots=True)
class _Shop:
    """What the page is written with, at one moment."""

    earned: list[Earned]
    whole: bool
    offers: list[OfferRecord]
    movements: list[Movement]


async def shop_page(visit: Visit) -> Reply:
    """Show the shop."""
    ctx, owner = visit.call.desk.ctx, visit.me.person.owner
    now_s = ctx.now_s()
    today = date.fromisoformat(write_time(now_s)[:10])

    def work(tx: Tx) -> _Shop:
        earned, whole = _earned(tx, owner, today, now_s)
        offers = page(tx, OFFERS, {"owner": owner, "withdrawn_ns": 0}, limit=_LISTED)
        out = {"owner": owner, "direction": Direction.PAYOUT.value}
        return _Shop(earned, whole, offers, page(tx, MOVEMENTS, out, limit=_PAYOUTS))

    shop = await ctx.database.read(work)
    days = [(today - timedelta(DAYS - 1 - i)).isoformat() for i in range(DAYS)]
    return visit.page(
        "shop.html",
        earned=shop.earned, whole=shop.whole, offers=shop.offers, movements=shop.movements,
        sales=await book_of(visit).sales(), days=days, most=SALES_MAX, look=LOOKS,
    )  # fmt: skip


def _earned(tx: Tx, owner: str, today: date, now_s: int) -> tuple[list[Earned], bool]:
    """Add up the last days' sales. Shape: whether all of them are in it."""
    since_s = now_s - now_s % 86_400 - (DAYS - 1) * 86_400
    first = ids.name("pay", since_s * 1000 << 80)
    mapped = mapping(PAYMENTS)
    where = f"{mapped.equal('payee_owner')} AND id >= ? AND state = ?"
    what = "asset, captured - refunded, created_ns"
    sql = f"SELECT {what} FROM payments WHERE {where} ORDER BY id DESC LIMIT ?"  # noqa: S608
    rows = tx.rows(sql, (owner, first, State.CAPTURED.value, SALES_MAX))
    found: dict[str, Earned] = {}
    for asset, units, created_ns in rows:
        one = found.setdefault(asset, Earned(asset))
        day = date.fromisoformat(write_time(created_ns // NS)[:10])
        place = DAYS - 1 - (today - day).days
        if 0 <= place < DAYS:
            one.count, one.units = one.count + 1, one.units + units
            one.days[place] += units
    return sorted(found.values(), key=lambda one: -one.units), len(rows) < SALES_MAX
