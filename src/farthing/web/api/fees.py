"""What fees came to, by period: all of them for the operator, for others what they were given."""

from farthing import ids
from farthing.clock import NS, parse_time, write_time
from farthing.codec import from_base64url, to_base64url
from farthing.core.fees import HUB
from farthing.core.owners import Scope
from farthing.errors import Malformed
from farthing.money import parse_units
from farthing.store.fees import FeeTotal, Place, fee_totals
from farthing.web.api import answers
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.lists import PAGED, limit_of

_DAY = 86400
_PERIODS = {"hour": 3600, "day": _DAY, "all": 0}
_SPAN_DAYS, _SPAN_DAYS_MAX = 31, 366


async def list_fees(call: Call) -> Reply:
    """Tell what fees came to in each period, newest first."""
    per = call.query.get("per", "day")
    if per not in _PERIODS:
        raise Malformed("invalid-filter", f"per is one of {', '.join(_PERIODS)}")
    since, until = _span(call)
    owner, limit, after = call.asker.sees, limit_of(call), _place(call)
    period_ns = _PERIODS[per] * NS
    totals = await call.desk.ctx.database.read(
        lambda tx: fee_totals(tx, owner, since * NS, until * NS, period_ns, after, limit)
    )
    shown = [_show(total, since) for total in totals]
    return Reply({"items": shown, "next": _cursor(totals[-1]) if len(totals) == limit else None})


def _span(call: Call) -> tuple[int, int]:
    """Read from when to when fees are added up.

    Raises: Malformed `malformed-time`, `invalid-filter`.
    """
    now = call.desk.ctx.clock() // NS + 1
    until = parse_time(call.query["until"]) if "until" in call.query else now
    since = until - _SPAN_DAYS * _DAY
    if "since" in call.query:
        since = parse_time(call.query["since"])
    if not 0 <= until - since <= _SPAN_DAYS_MAX * _DAY:
        raise Malformed("invalid-filter", f"since is at most {_SPAN_DAYS_MAX} days before until")
    return max(0, since), until


def _cursor(total: FeeTotal) -> str:
    return to_base64url(f"{total.start_ns} {total.of} {total.account}".encode())


def _place(call: Call) -> Place | None:
    """Read where a page begins.

    Raises: Malformed `invalid-cursor` for anything but a page's `next`.
    """
    text = call.query.get("cursor", "")
    if not text:
        return None
    try:
        start, of, account = from_base64url(text).decode("ascii").split(" ")
        ids.number("acc", account)
        if of != HUB:
            ids.number("off", of)
        return Place(parse_units(start), of, account)
    except (Malformed, ValueError):
        raise Malformed("invalid-cursor", "send a page's `next` as it came") from None


def _show(total: FeeTotal, since: int) -> answers.FeeTotalAnswer:
    return {
        "since": write_time(max(since, total.start_ns // NS)),
        "of": total.of,
        "account": total.account,
        "asset": total.asset,
        "taken": str(total.taken),
        "returned": str(total.returned),
        "payments": total.payments,
    }


ENDPOINTS = [
    Endpoint(
        "GET",
        "/v1/fees",
        "list_fees",
        "What fees came to, by period",
        list_fees,
        scopes=(Scope.OWNER, Scope.SELLER, Scope.READ),
        query={
            "per": "hour, day (the default) or all, in UTC",
            "since": "from when on; 31 days before `until` unless said",
            "until": "before when; now unless said, and at most 366 days after `since`",
            **PAGED,
        },
        answer=answers.Page[answers.FeeTotalAnswer],
    ),
]
