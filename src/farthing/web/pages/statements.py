"""Statements of an account: sales, fees, refunds and payouts, to the unit, and as CSV."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from farthing import ids
from farthing.clock import NS, write_time_ns
from farthing.core.accounts import ACCOUNTS, AccountRecord, TransferCode
from farthing.core.statements import Line, Posting, Statement
from farthing.errors import Malformed, Missing
from farthing.services.statements import reckoned
from farthing.store.queries import page
from farthing.web.api.endpoint import Reply
from farthing.web.pages.render import guarded
from farthing.web.pages.visit import Visit

SHOWN = 50
CSV_ROWS_MAX = 50_000
QUERY = {
    "account": "The account.",
    "first": "The first day of the period, such as `2026-11-01`.",
    "last": "The last day of the period.",
}
_FIRST_DAY, _LAST_DAY = date(1971, 1, 1), date(2199, 12, 31)
_ACCOUNTS_MAX = 100
_PREFIXES = {TransferCode.TOP_UP: "top", TransferCode.PAYOUT: "out"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a statement is asked of. Shape: whole days in the owner's time zone, both included."""

    account: AccountRecord
    first: date
    last: date
    zone: str

    @property
    def start_ns(self) -> int:
        """When the first day begins."""
        return _midnight_ns(self.first, self.zone)

    @property
    def end_ns(self) -> int:
        """When the day after the last one begins."""
        return _midnight_ns(self.last + timedelta(days=1), self.zone)


async def statement_page(visit: Visit) -> Reply:
    """Show an account's statement of a period: this month, where none is named.

    Raises: Malformed `statement-too-long`, `malformed-form`; Missing.
    """
    accounts = await _accounts(visit)
    if not accounts:
        return visit.page("statements.html", accounts=accounts)
    asked = _asked(visit, accounts)
    statement = await _reckoned(visit, asked, SHOWN)
    return visit.page(
        "statements.html",
        accounts=accounts,
        asked=asked,
        statement=statement,
        months=_months(visit),
        about=about,
    )


async def statement_file(visit: Visit) -> Reply:
    """Give every posting of a period as CSV, oldest first, each with the balance after it.

    Raises: Malformed `statement-too-long`, `malformed-form`; Missing.
    """
    accounts = await _accounts(visit)
    if not accounts:
        raise Missing("no-such-account", "there is no such account here")
    asked = _asked(visit, accounts)
    statement = await _reckoned(visit, asked, CSV_ROWS_MAX)
    if statement.count > CSV_ROWS_MAX:
        raise Malformed("statement-too-long", f"a file has at most {CSV_ROWS_MAX} rows")
    scale = visit.call.desk.ctx.assets[asked.account.asset].scale
    name = f'attachment; filename="statement-{asked.first}-{asked.last}.csv"'
    fields = [*guarded(secure=visit.secure), (b"content-disposition", name.encode())]
    fields.append((b"cache-control", b"no-store"))
    body = written(statement, asked.account.asset, scale)
    return Reply(body.encode(), 200, fields, "text/csv; charset=utf-8; header=present")


def written(statement: Statement, asset: str, scale: int) -> str:
    """Write a statement as CSV. Shape: RFC 4180; nothing in it was written by a person."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["time", "what", "about", "amount", "balance", "asset"])
    balance = statement.opening
    rows.writerow(
        [write_time_ns(statement.start_ns), "opening", "", "", plain(balance, scale), asset]
    )
    for posting in reversed(statement.postings):
        balance += posting.units
        amounts = (plain(posting.units, scale), plain(balance, scale))
        what = (posting.line.value, about(posting))
        rows.writerow([write_time_ns(posting.time_ns), *what, *amounts, asset])
    end = plain(statement.closing, scale)
    rows.writerow([write_time_ns(statement.end_ns), "closing", "", "", end, asset])
    return out.getvalue()


def plain(units: int, scale: int) -> str:
    """Write an amount as any spreadsheet reads it: all its decimals, a point, and a hyphen."""
    whole, rest = divmod(abs(units), 10**scale)
    sign = "-" if units < 0 else ""
    return f"{sign}{whole}.{rest:0{scale}d}" if scale else f"{sign}{whole}"


def about(posting: Posting) -> str:
    """Name the payment or movement that a posting was for; empty where it was for none."""
    if posting.line in (Line.CREDITS, Line.OTHER):
        return ""
    return ids.name(_PREFIXES.get(posting.code, "pay"), posting.subject)


async def _reckoned(visit: Visit, asked: Asked, keep: int) -> Statement:
    desk, period = visit.call.desk, (asked.start_ns, asked.end_ns)
    async with desk.turns.turn(visit.me.person.owner):
        return await reckoned(desk.ctx, asked.account.id, *period, keep)


async def _accounts(visit: Visit) -> list[AccountRecord]:
    """Read the owner's accounts, the oldest first: it is the main one."""
    where = {"owner": visit.me.person.owner}
    read = visit.call.desk.ctx.database.read
    return (await read(lambda tx: page(tx, ACCOUNTS, where, limit=_ACCOUNTS_MAX)))[::-1]


def _asked(visit: Visit, accounts: Iterable[AccountRecord]) -> Asked:
    query = visit.call.query
    wanted = query.get("account", "")
    account = next((one for one in accounts if not wanted or one.id == wanted), None)
    if account is None:
        raise Missing("no-such-account", "there is no such account here")
    today = _today(visit)
    first = _day(query.get("first", "")) or today.replace(day=1)
    last = _day(query.get("last", "")) or max(first, today)
    if last < first:
        raise Malformed("malformed-form", "the last day is before the first")
    return Asked(account, first, last, visit.me.owner.time_zone)


def _months(visit: Visit) -> list[tuple[date, date]]:
    """Give the first and the last day of this month and of the one before."""
    today = _today(visit)
    this = today.replace(day=1)
    before = this - timedelta(days=1)
    return [(this, today), (before.replace(day=1), before)]


def _today(visit: Visit) -> date:
    now_s = visit.call.desk.ctx.now_s()
    return datetime.fromtimestamp(now_s, ZoneInfo(visit.me.owner.time_zone)).date()


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if str(day) != text or not _FIRST_DAY <= day <= _LAST_DAY:
        raise Malformed("malformed-form", "give a day as 2027-01-31")
    return day


def _midnight_ns(day: date, zone: str) -> int:
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    return int(midnight.timestamp()) * NS
