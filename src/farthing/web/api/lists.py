"""Pages of lists: opaque cursors, bounded sizes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from farthing import ids
from farthing.codec import from_base64url, to_base64url
from farthing.core.records import Row, Table
from farthing.errors import Malformed, Missing
from farthing.store.queries import PAGE_MAX, one, page
from farthing.web.api.endpoint import Call, Reply

_DEFAULT = 50


def limit_of(call: Call) -> int:
    """Read how many items a page may have."""
    text = call.query.get("limit", str(_DEFAULT))
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= PAGE_MAX):
        raise Malformed("invalid-limit", f"limit is 1 to {PAGE_MAX}")
    return int(text)


def cursor_of(call: Call, prefix: str) -> str:
    """Read where a page begins; empty for the newest.

    Raises: Malformed `invalid-cursor` for anything but a cursor of a list of this kind.
    """
    text = call.query.get("cursor", "")
    if not text:
        return ""
    try:
        ident = from_base64url(text).decode("ascii")
        ids.number(prefix, ident)
    except (Malformed, UnicodeDecodeError):
        raise Malformed("invalid-cursor", "send a page's `next` as it came") from None
    return ident


def listed(items: Sequence[Mapping[str, Any]], limit: int) -> Reply:
    """Answer a page; `next` is null on the last one."""
    full = len(items) == limit
    return Reply({"items": items, "next": to_base64url(items[-1]["id"].encode()) if full else None})


async def list_table(
    call: Call,
    table: Table[Row],
    prefix: str,
    show: Callable[[Row], Mapping[str, Any]],
) -> Reply:
    """List a table's rows that belong to the asker, newest first."""
    owner = call.asker.sees
    where = {} if owner is None else {"owner": owner}
    limit, after = limit_of(call), cursor_of(call, prefix)
    rows = await call.desk.ctx.database.read(
        lambda tx: page(tx, table, where, after=after, limit=limit)
    )
    return listed([show(row) for row in rows], limit)


PAGED = {"limit": "how many at most (500)", "cursor": "go on after a page's `next`"}


async def own_row(call: Call, table: Any, ident: str, noun: str) -> Any:
    """Get a row that the asker owns.

    Raises: Missing.
    """
    row = await call.desk.ctx.database.read(lambda tx: one(tx, table, ident))
    if row is None or call.asker.sees not in (None, row.owner):
        raise Missing(f"no-such-{noun}", f"there is no such {noun} here")
    return row
