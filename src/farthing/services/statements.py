"""Reckoning a statement: an account's transfers are followed back, a little at a time."""

import asyncio

from farthing import ids
from farthing.core.statements import Statement
from farthing.errors import Malformed, Missing
from farthing.services.context import Context
from farthing.store.accounts import account_counters, newest_transfer, postings
from farthing.store.database import Tx

SLICE = 500
POSTINGS_MAX = 500_000
"""How many transfers are looked at for one statement."""


async def reckoned(
    ctx: Context, account: str, start_ns: int, end_ns: int, keep: int, most: int = POSTINGS_MAX
) -> Statement:
    """Reckon an account's statement of a period; payments go on in between.

    Units:  Unix ns, the end not included.
    Shape:  `keep` of its newest postings are in it.
    Raises: Malformed `statement-too-long`; Missing.
    """
    ident = ids.number("acc", account)
    statement, number = await ctx.database.read(lambda tx: _begun(tx, ident, start_ns, end_ns))
    statement.keep = keep
    for _ in range(0, most, SLICE):
        found = await ctx.database.read(lambda tx, at=number: postings(tx, ident, at, SLICE))
        if not all(statement.take(posting) for posting in found.postings) or not found.older:
            return statement
        number = found.older
        await asyncio.sleep(0)  # Somebody may be paying.
    raise Malformed("statement-too-long", f"more than {most} transfers lie between then and now")


def _begun(tx: Tx, ident: int, start_ns: int, end_ns: int) -> tuple[Statement, int]:
    counters = account_counters(tx, ident)
    if counters is None:
        raise Missing("no-such-account", "there is no such account here")
    balance = counters.credits_posted - counters.debits_posted
    return Statement(start_ns, end_ns, balance, balance), newest_transfer(tx, ident)
