"""The shop: what one's accounts earned, what is offered, and the keys that programs sell with."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from farthing import ids
from farthing.clock import NS, write_time
from farthing.core.offers import OFFERS, OfferRecord
from farthing.core.owners import KEYS, CreateKey, KeyRecord, RevokeKey, Scope
from farthing.core.payments import PAYMENTS, State
from farthing.core.refunds import GiveBack
from farthing.errors import Missing, PaymentRefused, Unauthenticated
from farthing.services.access import new_key
from farthing.store.database import Tx
from farthing.store.mapping import mapping
from farthing.store.queries import page
from farthing.web.api.endpoint import Reply
from farthing.web.pages.approvals import Act, refunding_act
from farthing.web.pages.forms import proof_of
from farthing.web.pages.place import one_line
from farthing.web.pages.visit import Visit
from farthing.web.pages.wallet import book_of

DAYS = 7
SALES_MAX = 20_000
"""The newest sales that are added up: more would keep others waiting."""

_LABEL_MAX = 60
_LISTED = 50


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


async def shop_page(visit: Visit) -> Reply:
    """Show the shop."""
    return await _page(visit)


async def _page(visit: Visit, secret: str = "") -> Reply:
    ctx, owner = visit.call.desk.ctx, visit.me.person.owner
    now_s = ctx.now_s()
    today = date.fromisoformat(write_time(now_s)[:10])

    def work(tx: Tx) -> tuple[list[Earned], bool, list[OfferRecord], list[KeyRecord]]:
        earned, whole = _earned(tx, owner, today, now_s)
        offers = page(tx, OFFERS, {"owner": owner, "withdrawn_ns": 0}, limit=_LISTED)
        keys = page(tx, KEYS, {"owner": owner, "revoked_ns": 0}, limit=_LISTED)
        return earned, whole, offers, keys

    earned, whole, offers, keys = await ctx.database.read(work)
    accounts = await book_of(visit).open_accounts()
    days = [(today - timedelta(DAYS - 1 - i)).isoformat() for i in range(DAYS)]
    return visit.page(
        "shop.html",
        payee=accounts[0].id if accounts else "", earned=earned, whole=whole, offers=offers,
        keys=keys, days=days, secret=secret, most=SALES_MAX,
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


async def make_key(visit: Visit, form: dict[str, str]) -> Reply:
    """Make an API key for a program that sells, and show it, once.

    Raises: Unauthenticated `passkey-needed`; Malformed.
    """
    label = one_line(form.get("label", ""), _LABEL_MAX)
    ctx, owner = visit.call.desk.ctx, visit.me.person.owner
    key = new_key(ctx)
    unit = CreateKey(key.id, owner, key.hash, [Scope.SELLER], label)
    await _confirmed(visit, form, {"act": "make-key"}, unit)
    return await _page(visit, key.secret)


async def revoke_key(visit: Visit, form: dict[str, str]) -> Reply:
    """Revoke an API key, at once and without a passkey: a stop must never be slow.

    Raises: Missing.
    """
    owner = visit.me.person.owner
    await visit.call.desk.ctx.books.commit_one(RevokeKey(form.get("key", ""), owner), owner)
    visit.call.desk.access.forget_keys()
    return visit.go("/shop")


async def refund(visit: Visit, form: dict[str, str]) -> Reply:
    """Give the whole of what is left of a sale back, confirmed with a passkey.

    Raises: Unauthenticated `passkey-needed`; Missing; Conflict.
    """
    line = await book_of(visit).line(visit.call.path["payment"])
    if line is None or line.payment.payee_owner != visit.me.person.owner:
        raise Missing("no-such-payment", "there is no such payment here")
    name, owner = visit.call.desk.ctx.fresh_name("ref"), visit.me.person.owner
    unit = GiveBack(name, line.payment.id, owner, None, "")
    done = await _confirmed(visit, form, refunding_act(line.payment), unit)
    if done.refund.state != "done":
        detail = "your account does not hold enough; top it up and send the same refund id again"
        raise PaymentRefused("insufficient-seller-balance", detail, refund=name)
    return visit.go(f"/wallet/payments/{line.payment.id}")


async def _confirmed(visit: Visit, form: dict[str, str], act: Act, unit: Any) -> Any:
    proof = proof_of(form)
    if proof is None:
        raise Unauthenticated("passkey-needed", "confirm this with your passkey")
    people = visit.call.desk.people
    whole = await people.confirmed(visit.site, visit.me, act, proof, unit)
    return (await visit.call.desk.ctx.books.commit_one(whole, visit.me.person.owner)).answer
