"""Top-ups and payouts: money in and out by rails."""

from functools import partial

from farthing.clock import write_time_ns
from farthing.core.movements import MOVEMENTS, Direction, Intend, Movement
from farthing.core.owners import Scope
from farthing.errors import Malformed, Missing
from farthing.money import parse_units
from farthing.rails.base import bounds_of
from farthing.store.queries import page
from farthing.web.api import answers, bodies
from farthing.web.api.endpoint import Call, Endpoint, Handler, Reply
from farthing.web.api.lists import PAGED, cursor_of, limit_of, listed, own_row

_WRITE = (Scope.OWNER,)
_ANY = (Scope.OWNER, Scope.SELLER, Scope.READ)
_NOUNS = {Direction.TOP_UP: "topup", Direction.PAYOUT: "payout"}


def show_movement(is_money: bool, movement: Movement) -> answers.MovementAnswer:
    """Write a top-up or a payout."""
    return {
        "id": movement.id,
        "account": movement.account,
        "rail": movement.rail,
        "asset": movement.asset,
        "units": str(movement.units),
        "place": movement.place,
        "state": movement.state.value,
        "reason": movement.reason or None,
        "rail_reference": movement.rail_reference or None,
        "booked": movement.booked,
        "money": "real" if is_money else "test",
        "created_at": write_time_ns(movement.created_ns),
        "changed_at": write_time_ns(movement.changed_ns),
    }


def _is_money(call: Call, rail: str) -> bool:
    found = call.desk.rails.get(rail)
    return found is not None and found.is_money


async def _begin(direction: Direction, call: Call) -> Reply:
    """Intend it, answer, and ask the rail meanwhile."""
    body, desk = call.body(bodies.MovementBody), call.desk
    units = parse_units(body.units)
    if units == 0:
        raise Malformed("nothing-to-move", "move at least one unit")
    if body.rail not in desk.rails:
        raise Malformed("no-such-rail", f"there is no rail {body.rail!r} here; see [rails]")
    ident = desk.ctx.fresh_name(direction.value)
    unit = Intend(
        ident,
        call.asker.sees,
        direction,
        body.account,
        body.asset,
        units,
        body.rail,
        body.place,
        bounds_of(desk.rails[body.rail]),
    )
    render = partial(show_movement, _is_money(call, body.rail))
    reply = await call.once(unit, render, status=201)
    if not reply.headers:  # The same answer again begins nothing.
        desk.movements.begin(ident)
    return reply


async def _list(direction: Direction, call: Call) -> Reply:
    owner, limit = call.asker.sees, limit_of(call)
    after = cursor_of(call, direction.value)
    where = {"direction": direction.value} | ({} if owner is None else {"owner": owner})
    rows = await call.desk.ctx.database.read(
        lambda tx: page(tx, MOVEMENTS, where, after=after, limit=limit)
    )
    return listed([show_movement(_is_money(call, row.rail), row) for row in rows], limit)


async def _show(direction: Direction, call: Call) -> Reply:
    row = await own_row(call, MOVEMENTS, call.path[_NOUNS[direction]], "movement")
    if row.direction is not direction:
        raise Missing("no-such-movement", "there is no such movement here")
    return Reply(show_movement(_is_money(call, row.rail), row))


def _endpoints(direction: Direction, begin: str) -> list[Endpoint]:
    noun = _NOUNS[direction]

    def bound(handler: object) -> Handler:
        return partial(handler, direction)  # type: ignore[arg-type]

    return [
        Endpoint(
            "POST",
            f"/v1/{noun}s",
            f"begin_{noun}",
            begin,
            bound(_begin),
            scopes=_WRITE,
            body=bodies.MovementBody,
            status=201,
            answer=answers.MovementAnswer,
        ),
        Endpoint(
            "GET",
            f"/v1/{noun}s",
            f"list_{noun}s",
            f"List {noun}s",
            bound(_list),
            scopes=_ANY,
            query=PAGED,
            answer=answers.Page[answers.MovementAnswer],
        ),
        Endpoint(
            "GET",
            f"/v1/{noun}s/{{{noun}}}",
            f"show_{noun}",
            f"Show a {noun}",
            bound(_show),
            scopes=_ANY,
            answer=answers.MovementAnswer,
        ),
    ]


ENDPOINTS = [
    *_endpoints(Direction.TOP_UP, "Bring money in by a rail"),
    *_endpoints(Direction.PAYOUT, "Pay money out by a rail"),
]
