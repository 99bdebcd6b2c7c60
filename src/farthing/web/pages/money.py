"""Money in and out by rails: what was asked for, where it stands, and what is not known yet.

A top-up takes a form, once however often it is sent. Money that leaves is read back first and needs
the passkey each time: a signed-in browser alone sends nothing away.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from farthing.codec import canonical_json, to_base64url
from farthing.core.accounts import AccountRecord
from farthing.core.idempotency import Once, content_hash, idempotency_key
from farthing.core.movements import MOVEMENTS, Direction, Intend, Movement
from farthing.errors import Malformed, Missing, Unauthenticated
from farthing.rails.base import NamesPlaces, Rail, bounds_of
from farthing.services.secrets import new_secret
from farthing.store.queries import page
from farthing.web.api.endpoint import Reply
from farthing.web.pages.approvals import terms_act
from farthing.web.pages.forms import proof_of
from farthing.web.pages.place import one_line
from farthing.web.pages.typed import LINE_MAX, amount_typed
from farthing.web.pages.visit import Visit
from farthing.web.pages.wallet import book_of

HERE = "/wallet/money"
ROWS = 30
_PLACE_MAX = 200
LOOKS = {"settled": "captured", "failed": "refused"}


@dataclass(frozen=True, slots=True)
class Moving:
    """What is to be moved. Shape: `told` are the fields as they were typed."""

    account: AccountRecord
    rail: Rail
    units: int
    place: str
    told: dict[str, str]

    def digest(self) -> str:
        """Hash the terms: what is confirmed is these, and no others."""
        return to_base64url(hashlib.sha256(canonical_json(self.told)).digest())


async def money_page(visit: Visit) -> Reply:
    """Show what came in and went out, and how to have more of it."""
    book, rails = book_of(visit), visit.call.desk.rails
    since = await book.newest()
    return visit.page(
        "money.html",
        since=since,
        balances=await book.balances(),
        accounts=(await book.open_accounts())[::-1],  # The oldest first: it is the main one.
        rails=list(rails.values()),
        places={name: _places(rail) for name, rail in rails.items()},
        once=new_secret(visit.call.desk.ctx.random_bits),
        **await moved(visit),
    )


async def moved(visit: Visit) -> dict[str, Any]:
    """Give what the list of movements is written with."""
    ctx, owner = visit.call.desk.ctx, visit.me.person.owner
    found = [
        await ctx.database.read(lambda tx, way=way: _newest(tx, owner, way)) for way in Direction
    ]
    newest = sorted((row for rows in found for row in rows), key=lambda row: -row.created_ns)
    return {"movements": newest[:ROWS], "look": LOOKS}


def _newest(tx: Any, owner: str, direction: Direction) -> list[Movement]:
    return page(tx, MOVEMENTS, {"owner": owner, "direction": direction.value}, limit=ROWS)


def _places(rail: Rail) -> list[str]:
    return list(rail.places) if isinstance(rail, NamesPlaces) else []


async def bring_in(visit: Visit, form: dict[str, str]) -> Reply:
    """Have money brought in, once for each form that was shown.

    Raises: Malformed; Missing; Conflict.
    """
    moving = await _read(visit, form)
    once = one_line(form.get("once", ""), LINE_MAX)
    if not once:
        raise Malformed("malformed-form", "open the page again")
    ident, unit = _intended(visit, Direction.TOP_UP, moving)
    key = idempotency_key(visit.me.person.id, "POST", f"{HERE}/in", once)
    content = content_hash(canonical_json(moving.told))
    whole = Once(unit, key, content, 201, _named)
    ctx, owner = visit.call.desk.ctx, visit.me.person.owner
    answer = (await ctx.books.commit_one(whole, owner)).answer
    if not answer.again:
        visit.call.desk.movements.begin(ident)
    return visit.go(HERE)


async def check_payout(visit: Visit, form: dict[str, str]) -> Reply:
    """Read back what is to go out, before anything is held.

    Raises: Malformed; Missing.
    """
    return visit.page("check_payout.html", moving=await _read(visit, form))


async def pay_out(visit: Visit, form: dict[str, str]) -> Reply:
    """Hold the money and have it paid out, confirmed with a passkey.

    Raises: Unauthenticated `passkey-needed`; Conflict `insufficient-balance`; Malformed; Missing.
    """
    moving, proof = await _read(visit, form), proof_of(form)
    if proof is None:
        raise Unauthenticated("passkey-needed", "confirm this with your passkey")
    ident, unit = _intended(visit, Direction.PAYOUT, moving)
    people, act = visit.call.desk.people, terms_act("pay-out", moving.digest())
    whole = await people.confirmed(visit.site, visit.me, act, proof, unit)
    await visit.call.desk.ctx.books.commit_one(whole, visit.me.person.owner)
    visit.call.desk.movements.begin(ident)
    return visit.go(HERE)


def _intended(visit: Visit, direction: Direction, moving: Moving) -> tuple[str, Intend]:
    ident = visit.call.desk.ctx.fresh_name(direction.value)
    return ident, Intend(
        ident,
        visit.me.person.owner,
        direction,
        moving.account.id,
        moving.account.asset,
        moving.units,
        moving.rail.name,
        moving.place,
        bounds_of(moving.rail),
    )


def _named(movement: Movement) -> bytes:
    return msgspec.json.encode({"id": movement.id})


async def _read(visit: Visit, form: Mapping[str, str]) -> Moving:
    told = {name: one_line(form.get(name, ""), LINE_MAX) for name in ("account", "rail", "amount")}
    told["place"] = one_line(form.get("place", ""), _PLACE_MAX)
    accounts = await book_of(visit).open_accounts()
    account = next((one for one in accounts if one.id == told["account"]), None)
    if account is None:
        raise Missing("no-such-account", "there is no such account here")
    rail = visit.call.desk.rails.get(told["rail"])
    if rail is None:
        raise Malformed("no-such-rail", "there is no such rail here")
    units = amount_typed(visit, told["amount"], account.asset)
    return Moving(account, rail, units, told["place"], told)
