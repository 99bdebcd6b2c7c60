"""Looking: by whoever asks, in the midst of things; and in the end at everything, page by page."""

import json
from typing import Any

from tests.equal.crowd import Crowd
from tests.equal.hubs import read
from tests.equal.wire import Ask

LISTS = ("owners", "keys", "accounts", "mandates", "devices", "offers", "payments", "sessions")
_PAGE = 7


async def look(crowd: Crowd) -> None:
    """Look at a list or at one thing, as an owner or as a device."""
    by: Any = crowd.luck.choice(crowd.owners).keys["read"]
    draw = crowd.luck.random()
    if draw < 0.4:
        where = crowd.luck.choice(["?limit=3", "", "?limit=0", "?state=held", "?role=payee"])
        path = f"/v1/{crowd.luck.choice(LISTS)}{where}"
    elif draw < 0.7 and crowd.payments:
        path = f"/v1/payments/{crowd.one(crowd.payments)}"
    elif draw < 0.8 and crowd.purchases:
        path = f"/v1/sessions/{crowd.one(crowd.purchases).told['id']}"
    elif draw < 0.9:
        path = f"/v1/events?after=0&limit={crowd.luck.choice([5, 50])}"
    else:
        path = f"/v1/fees?per={crowd.luck.choice(['hour', 'day', 'all', 'year'])}"
    if crowd.chance(0.25):
        by = crowd.luck.choice(crowd.devices)
    await crowd.ask("GET", path, by=by)


async def look_at_everything(crowd: Crowd) -> None:
    """Look at every list, at everything in it, at every event, fee and export."""
    askers = [None, *(owner.keys["read"] for owner in crowd.owners)]
    for who in askers:
        for what in LISTS:
            rows = await _pages(crowd, f"/v1/{what}?limit={_PAGE}", who)
            if who is None:
                await _each(crowd, what, rows)
        for per in ("hour", "day", "all"):
            await _pages(crowd, f"/v1/fees?per={per}&limit={_PAGE}", who)
        for path in ("events?after=0&limit=500", "payments/export", "payments/export?format=jsonl"):
            await _get(crowd, f"/v1/{path}", who)
    for path in ("/.well-known/farthing", "/supported", "/discovery/resources", "/readyz"):
        await _get(crowd, path, None)


_HAVE_A_PAGE = ("accounts", "mandates", "devices", "payments", "sessions")


async def _each(crowd: Crowd, what: str, rows: list[dict[str, Any]]) -> None:
    if what in _HAVE_A_PAGE:
        for row in rows:
            await _get(crowd, f"/v1/{what}/{row['id']}", None)
            if what == "payments":
                await _get(crowd, f"/v1/payments/{row['id']}/refunds", None)


async def _pages(crowd: Crowd, path: str, who: str | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        told = await _get(crowd, f"{path}{cursor}", who)
        rows += told.get("items", [])
        if not told.get("next"):
            return rows
        cursor = f"&cursor={told['next']}"


async def _get(crowd: Crowd, path: str, who: str | None) -> dict[str, Any]:
    fields = () if who is None else (("authorization", f"Bearer {who}"),)
    answer = await crowd.hubs.ask(Ask("GET", path, fields=fields, operator=who is None))
    try:
        told = read(answer)
    except json.JSONDecodeError:  # An export.
        return {}
    return told if isinstance(told, dict) else {}
