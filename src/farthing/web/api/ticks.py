"""Ticks: one of a session, many in JSON or MessagePack, and bare ones of one payee."""

from typing import Any

import msgspec

from farthing import ids
from farthing.codec import from_base64url, to_base64url
from farthing.core.ticks import TICK_BYTES
from farthing.errors import Malformed
from farthing.services.proving import Presented
from farthing.services.ticking import TICKS_AT_ONCE, Ticked
from farthing.web.api import bodies, session_answers, shapes
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.sessions import late_by, one_of_many

MESSAGEPACK = "application/msgpack"
_AT_ONCE = 1000
_YES_OR_NO = {"true": True, "false": False}


class _Packed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A session's id, and a tick's 28 bytes."""

    session: str
    tick: bytes


class _PackedTicks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ticks: list[_Packed]
    late: bool = False


_unpack = msgspec.msgpack.Decoder(_PackedTicks).decode


async def tick(call: Call) -> Reply:
    """Draw a session by a tick. Its value is the authorisation, whoever carries it."""
    body = call.body(bodies.TickBody)
    presented = Presented(call.path["session"], tick=from_base64url(body.tick))
    by = late_by(call, late=body.late)
    session = await call.desk.sessions.draw(presented, by, late=body.late, bearer=call.bearer)
    return Reply(shapes.show_drawn(session))


async def tick_many(call: Call) -> Reply:
    """Draw many sessions by ticks; each is answered by itself, in order."""
    packed = call.headers.get("content-type", "").partition(";")[0].strip().lower() == MESSAGEPACK
    presented, late = read_packed(call.raw) if packed else _written(call)
    by = late_by(call, late=late)
    drawn = await call.desk.sessions.draw_many(presented, by, late=late, bearer=call.bearer)
    shown: dict[str, Any] = {"ticks": [one_of_many(item) for item in drawn]}
    if packed:
        return Reply(msgspec.msgpack.encode(shown), media=MESSAGEPACK)
    return Reply(shown)


def _written(call: Call) -> tuple[list[Presented], bool]:
    body = call.body(bodies.TicksBody)
    presented = [Presented(each.session, tick=from_base64url(each.tick)) for each in body.ticks]
    return presented, body.late


def read_packed(raw: bytes) -> tuple[list[Presented], bool]:
    """Read ticks in MessagePack, and whether they come late.

    Raises: Malformed `malformed-tick`.
    """
    try:
        body = _unpack(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("malformed-tick", "these are no ticks in MessagePack") from None
    if not 1 <= len(body.ticks) <= _AT_ONCE:
        raise Malformed("malformed-tick", f"send 1 to {_AT_ONCE} ticks at once")
    return [Presented(each.session, tick=each.tick) for each in body.ticks], body.late


async def tick_bare(call: Call) -> Reply:
    """Draw sessions of one payee by bare ticks, one after the other, in any order."""
    payee, late = call.path["account"], _YES_OR_NO.get(call.query.get("late", "false"))
    ids.number("acc", payee)
    if late is None:
        raise Malformed("malformed-query", "late is true or false")
    by = late_by(call, late=late)
    done = await call.desk.ticking.take(payee, call.raw, by, late=late, bearer=call.bearer)
    return Reply({"sessions": [_shown(each) for each in done]})


def _shown(done: Ticked) -> session_answers.SessionTicks:
    return {
        "alias": to_base64url(done.alias),
        "ticks": len(done.places),
        "right": done.right,
        "wrong": done.wrong,
        "far": done.far,
        "drawn": shapes.show_drawn(done.drawn) if done.drawn is not None else None,
        "problem": done.problem.problem() if done.problem is not None else None,
    }


ENDPOINTS = [
    Endpoint(
        "POST",
        "/v1/sessions/{session}/ticks",
        "tick_session",
        "Draw a session by a tick",
        tick,
        scopes=None,
        body=bodies.TickBody,
        answer=session_answers.DrawnAnswer,
        told_apart_by="the tick's own count",
    ),
    Endpoint(
        "POST",
        "/v1/ticks",
        "tick_sessions",
        "Draw many sessions by ticks",
        tick_many,
        scopes=None,
        body=bodies.TicksBody,
        answer=session_answers.TickItems,
        told_apart_by="each tick's own count",
    ),
    Endpoint(
        "POST",
        "/v1/accounts/{account}/ticks",
        "tick_account",
        "Draw a payee's sessions by bare ticks",
        tick_bare,
        scopes=None,
        takes_media="application/octet-stream",
        answer=session_answers.SessionTickItems,
        query={"late": "true where its payee hands in what it had accepted before"},
        body_bytes_max=TICKS_AT_ONCE * TICK_BYTES,
        told_apart_by="each tick's own count",
    ),
]
