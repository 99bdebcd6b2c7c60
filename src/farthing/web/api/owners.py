"""Owners, their keys, accounts and test money."""

from functools import partial
from typing import Any

from farthing import ids
from farthing.core.accounts import ACCOUNTS, AccountRecord, Credit, OpenAccount, SetAccountState
from farthing.core.owners import (
    KEYS,
    OWNERS,
    CreateKey,
    CreateOwner,
    KeyRecord,
    RevokeKey,
    Scope,
)
from farthing.core.periods import check_zone
from farthing.errors import Forbidden, Malformed, Missing
from farthing.money import parse_units
from farthing.services.access import new_key
from farthing.store.accounts import account_counters
from farthing.store.queries import one, page
from farthing.web.api import answers, bodies, shapes
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.lists import PAGED, cursor_of, limit_of, list_table, listed

OPERATOR = (Scope.OPERATOR,)
OWNER = (Scope.OWNER,)
ANY = (Scope.OWNER, Scope.SELLER, Scope.READ)


async def acting_owner(call: Call, wanted: str | None) -> str:
    """Give the owner that something is made for: oneself, unless the operator names another.

    Raises: Malformed, Forbidden, Missing.
    """
    asker = call.asker
    if asker.sees is None:
        owner = wanted or asker.owner
        if not owner:
            raise Malformed("owner-missing", "say for which owner: own_…")
        if await call.desk.ctx.database.read(lambda tx: one(tx, OWNERS, owner)) is None:
            raise Missing("no-such-owner", "there is no such owner here")
        return owner
    if wanted not in (None, asker.owner):
        raise Forbidden("not-your-owner", "only the operator acts for other owners")
    return asker.owner


async def create_owner(call: Call) -> Reply:
    """Make an owner."""
    body = call.body(bodies.OwnerBody)
    unit = CreateOwner(call.desk.ctx.fresh_name("own"), body.name, check_zone(body.time_zone))
    return await call.once(unit, shapes.show_owner, status=201)


async def list_owners(call: Call) -> Reply:
    """List owners."""
    limit, after = limit_of(call), cursor_of(call, "own")
    rows = await call.desk.ctx.database.read(
        lambda tx: page(tx, OWNERS, {}, after=after, limit=limit)
    )
    return listed([shapes.show_owner(row) for row in rows], limit)


async def create_key(call: Call) -> Reply:
    """Make an API key; its secret is in this answer and nowhere else."""
    body = call.body(bodies.KeyBody)
    scopes = [Scope(scope) for scope in dict.fromkeys(body.scopes)]
    if not scopes:
        raise Malformed("scopes-missing", "name at least one scope")
    for scope in scopes:
        if not (call.asker.may(scope) or scope is Scope.READ):  # Any other scope reads as well.
            raise Forbidden("scope-missing", f"you cannot give the scope {scope.value} on")
    key = new_key(call.desk.ctx)
    unit = CreateKey(key.id, await acting_owner(call, body.owner), key.hash, scopes, body.label)
    return await call.once(unit, partial(_with_secret, key.secret), status=201, secret=True)


def _with_secret(secret: str, made: KeyRecord) -> dict[str, Any]:
    return {**shapes.show_key(made), "secret": secret}


async def list_keys(call: Call) -> Reply:
    """List API keys."""
    return await list_table(call, KEYS, "key", shapes.show_key)


async def revoke_key(call: Call) -> Reply:
    """Revoke an API key, from the next request on."""
    reply = await call.once(RevokeKey(call.path["key"], call.asker.sees), shapes.show_key)
    call.desk.access.forget_keys()
    return reply


async def open_account(call: Call) -> Reply:
    """Open an account."""
    body = call.body(bodies.AccountBody)
    ident = call.desk.ctx.fresh_name("acc")
    unit = OpenAccount(ident, await acting_owner(call, body.owner), body.asset, body.name)
    return await call.once(unit, _without_counters, status=201)


def _without_counters(record: AccountRecord) -> answers.AccountAnswer:
    return shapes.show_account(record, None)


async def list_accounts(call: Call) -> Reply:
    """List accounts with what they hold."""
    owner = call.asker.sees
    limit, after = limit_of(call), cursor_of(call, "acc")

    def work(tx: Any) -> list[answers.AccountAnswer]:
        where = {} if owner is None else {"owner": owner}
        rows = page(tx, ACCOUNTS, where, after=after, limit=limit)
        return [
            shapes.show_account(row, account_counters(tx, ids.number("acc", row.id)))
            for row in rows
        ]

    return listed(await call.desk.ctx.database.read(work), limit)


async def show_account(call: Call) -> Reply:
    """Show an account and what it holds."""
    ident, owner = call.path["account"], call.asker.sees

    def work(tx: Any) -> answers.AccountAnswer | None:
        record = one(tx, ACCOUNTS, ident)
        if record is None or owner not in (None, record.owner):
            return None
        return shapes.show_account(record, account_counters(tx, ids.number("acc", ident)))

    shown = await call.desk.ctx.database.read(work)
    if shown is None:
        raise Missing("no-such-account", "there is no such account here")
    return Reply(shown)


async def _set_state(call: Call, to: str) -> Reply:
    ctx = call.desk.ctx
    unit = SetAccountState(call.path["account"], call.asker.sees, to, ctx.fresh())
    return await call.once(unit, _without_counters)


async def freeze(call: Call) -> Reply:
    """Freeze an account: nothing moves in or out."""
    return await _set_state(call, "frozen")


async def unfreeze(call: Call) -> Reply:
    """Unfreeze an account."""
    return await _set_state(call, "open")


async def close(call: Call) -> Reply:
    """Close an empty account for good."""
    return await _set_state(call, "closed")


async def credit(call: Call) -> Reply:
    """Put test money into an account, from clearing."""
    body = call.body(bodies.CreditBody)
    units = parse_units(body.units)
    if units == 0:
        raise Malformed("nothing-to-credit", "credit at least one unit")
    unit = Credit(call.desk.ctx.fresh(), body.account, body.asset, units)
    return await call.once(unit, partial(_credited, body.units), status=201)


def _credited(units: str, record: AccountRecord) -> dict[str, Any]:
    return {"account": record.id, "units": units, "asset": record.asset, "money": "test"}


ENDPOINTS = [
    Endpoint(
        "POST",
        "/v1/owners",
        "create_owner",
        "Make an owner",
        create_owner,
        scopes=OPERATOR,
        body=bodies.OwnerBody,
        status=201,
        answer=answers.OwnerAnswer,
    ),
    Endpoint(
        "GET",
        "/v1/owners",
        "list_owners",
        "List owners",
        list_owners,
        scopes=OPERATOR,
        query=PAGED,
        answer=answers.Page[answers.OwnerAnswer],
    ),
    Endpoint(
        "POST",
        "/v1/keys",
        "create_key",
        "Make an API key",
        create_key,
        scopes=OWNER,
        body=bodies.KeyBody,
        status=201,
        answer=answers.KeyAnswer,
    ),
    Endpoint(
        "GET",
        "/v1/keys",
        "list_keys",
        "List API keys",
        list_keys,
        scopes=OWNER,
        query=PAGED,
        answer=answers.Page[answers.KeyAnswer],
    ),
    Endpoint(
        "POST",
        "/v1/keys/{key}/revoke",
        "revoke_key",
        "Revoke an API key",
        revoke_key,
        scopes=OWNER,
        answer=answers.KeyAnswer,
    ),
    Endpoint(
        "POST",
        "/v1/accounts",
        "open_account",
        "Open an account",
        open_account,
        scopes=OWNER,
        body=bodies.AccountBody,
        status=201,
        answer=answers.AccountAnswer,
    ),
    Endpoint(
        "GET",
        "/v1/accounts",
        "list_accounts",
        "List accounts",
        list_accounts,
        scopes=ANY,
        query=PAGED,
        answer=answers.Page[answers.AccountAnswer],
    ),
    Endpoint(
        "GET",
        "/v1/accounts/{account}",
        "show_account",
        "Show an account",
        show_account,
        scopes=ANY,
        answer=answers.AccountAnswer,
    ),
    Endpoint(
        "POST",
        "/v1/accounts/{account}/freeze",
        "freeze_account",
        "Freeze an account",
        freeze,
        scopes=OWNER,
        answer=answers.AccountAnswer,
    ),
    Endpoint(
        "POST",
        "/v1/accounts/{account}/unfreeze",
        "unfreeze_account",
        "Unfreeze an account",
        unfreeze,
        scopes=OWNER,
        answer=answers.AccountAnswer,
    ),
    Endpoint(
        "POST",
        "/v1/accounts/{account}/close",
        "close_account",
        "Close an empty account",
        close,
        scopes=OWNER,
        answer=answers.AccountAnswer,
    ),
    Endpoint(
        "POST",
        "/v1/credits",
        "credit",
        "Put test money into an account",
        credit,
        scopes=OPERATOR,
        body=bodies.CreditBody,
        status=201,
        answer=answers.CreditAnswer,
    ),
]
