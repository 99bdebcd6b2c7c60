"""The keys that an owner's programs sell with: made here, shown once, ended at once."""

from farthing.core.owners import KEYS, CreateKey, RevokeKey, Scope
from farthing.services.access import new_key
from farthing.store.queries import page
from farthing.web.api.endpoint import Reply
from farthing.web.pages.confirming import confirmed
from farthing.web.pages.place import one_line
from farthing.web.pages.visit import Visit

HERE = "/shop/keys"
_LABEL_MAX = 60
_LISTED = 50


async def keys_page(visit: Visit) -> Reply:
    """Show the keys that are good."""
    return await _page(visit)


async def _page(visit: Visit, secret: str = "") -> Reply:
    where = {"owner": visit.me.person.owner, "revoked_ns": 0}
    read = visit.call.desk.ctx.database.read
    keys = await read(lambda tx: page(tx, KEYS, where, limit=_LISTED))
    return visit.page("keys.html", keys=keys, secret=secret)


async def make_key(visit: Visit, form: dict[str, str]) -> Reply:
    """Make an API key for a program that sells, and show it, once.

    Raises: Unauthenticated `passkey-needed`; Malformed.
    """
    label = one_line(form.get("label", ""), _LABEL_MAX)
    ctx, owner = visit.call.desk.ctx, visit.me.person.owner
    key = new_key(ctx)
    unit = CreateKey(key.id, owner, key.hash, [Scope.SELLER], label)
    await confirmed(visit, form, {"act": "make-key"}, unit)
    return await _page(visit, key.secret)


async def revoke_key(visit: Visit, form: dict[str, str]) -> Reply:
    """Revoke an API key, at once and without a passkey: a stop must never be slow.

    Raises: Missing.
    """
    owner = visit.me.person.owner
    await visit.call.desk.ctx.books.commit_one(RevokeKey(form.get("key", ""), owner), owner)
    visit.call.desk.access.forget_keys()
    return visit.go(HERE)
