"""Sessions: open, top up, draw by vouchers, end, close, look up."""

from typing import Any

from farthing.books.base import Done
from farthing.codec import from_base64url
from farthing.core.owners import Principal, Scope
from farthing.core.paying import Authorised
from farthing.core.payments import State
from farthing.core.places import read_place
from farthing.core.sessions import (
    SESSIONS,
    TARIFFS,
    Session,
    is_deposit,
    session_of,
    session_topped_up,
)
from farthing.core.tariffs import read_tariff
from farthing.errors import FarthingError, Forbidden, Malformed, Missing, PaymentRefused
from farthing.money import parse_units
from farthing.services.proving import Presented
from farthing.store.database import Tx
from farthing.store.queries import one, page
from farthing.web.api import answers, bodies, session_answers, shapes
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.lists import PAGED, cursor_of, limit_of, listed
from farthing.web.api.payees import require_payee, vouched
from farthing.web.api.payments import signed_order

SELLER = (Scope.SELLER,)
OWNER = (Scope.OWNER,)
ANY = (Scope.OWNER, Scope.SELLER, Scope.READ)


async def open_session(call: Call) -> Reply:
    """Open a session: hold the deposit that its device signed for."""
    body = call.body(bodies.SessionBody)
    signed = signed_order(body)
    _require_deposit(signed.order.resource)
    if body.category and not await vouched(call, signed.order, body.category):
        raise Forbidden("category-not-vouched", "open it without a category, or as its payee")
    if body.offer or body.place:  # Its fee is the payee's to give, and where it came from to say.
        await _require_seller(call, signed.order.payee)
    done = await call.desk.sessions.open(
        signed,
        read_tariff(body.tariff),
        category=body.category,
        bearer=call.bearer,
        offer=body.offer,
        place=read_place(body.place) or call.place,
    )
    return await _funded(call, done)


async def top_up(call: Call) -> Reply:
    """Add a deposit that the session's device signed for."""
    body = call.body(bodies.DepositBody)
    signed = signed_order(body)
    _require_deposit(signed.order.resource)
    if body.place:
        await _require_seller(call, signed.order.payee)
    if session_topped_up(signed.order.resource) != call.path["session"]:
        raise Malformed("malformed-session", "the order tops up another session")
    place = read_place(body.place) or call.place
    done = await call.desk.sessions.top_up(signed, call.bearer, place)
    return await _funded(call, done)


async def _require_seller(call: Call, payee: str) -> None:
    call.asker.need(Scope.SELLER)
    await require_payee(call, payee)


def _require_deposit(resource: str) -> None:
    if not is_deposit(resource):
        raise PaymentRefused("wrong-purpose", "its resource says what the order is for")


async def _funded(call: Call, done: Done[Authorised]) -> Reply:
    payment = done.answer.payment
    shown = shapes.show_payment(payment, call.desk.ctx.clock())
    if payment.state is State.REFUSED:
        raise PaymentRefused(
            shown["reason"] or "refused", shown["detail"] or "", payment=payment.id
        )
    if payment.state is State.AWAITING:
        where = f"/v1/payments/{payment.id}".encode()
        waiting = session_answers.FundedAnswer(payment=shown, session=None)
        return Reply(waiting, 202, [(b"location", where)])
    session = await call.desk.sessions.find(session_of(payment))
    shown["receipt"] = await call.desk.payments.receipt(payment, done)
    return Reply(session_answers.FundedAnswer(payment=shown, session=shapes.show_session(session)))


async def draw(call: Call) -> Reply:
    """Draw a session. The voucher's signature is the authorisation, whoever carries it."""
    body = call.body(bodies.VoucherBody)
    presented = Presented(
        call.path["session"], from_base64url(body.voucher), from_base64url(body.tick)
    )
    by = late_by(call, late=body.late)
    session = await call.desk.sessions.draw(presented, by, late=body.late, bearer=call.bearer)
    return Reply(shapes.show_drawn(session))


async def draw_many(call: Call) -> Reply:
    """Draw many sessions at once; each voucher is answered by itself, in order."""
    body = call.body(bodies.VouchersBody)
    presented = [
        Presented(item.session, from_base64url(item.voucher), from_base64url(item.tick))
        for item in body.vouchers
    ]
    by = late_by(call, late=body.late)
    drawn = await call.desk.sessions.draw_many(presented, by, late=body.late, bearer=call.bearer)
    return Reply({"vouchers": [one_of_many(item) for item in drawn]})


def late_by(call: Call, *, late: bool) -> str | None:
    """Tell in whose name a voucher or tick comes late: only its payee may hand in what it accepted.

    Raises: Unauthenticated, Forbidden.
    """
    if not late:
        return None
    call.asker.need(Scope.SELLER)
    return call.asker.sees


def one_of_many(drawn: Session | FarthingError) -> session_answers.DrawnItem:
    """Write what became of one voucher or tick of many."""
    if isinstance(drawn, FarthingError):
        return {"drawn": None, "problem": drawn.problem()}
    return {"drawn": shapes.show_drawn(drawn), "problem": None}


async def end(call: Call) -> Reply:
    """End a session as its payer: nothing more is drawn, and its payee has a grace to close."""
    session = await call.desk.sessions.end(call.path["session"], call.asker.sees, call.asker.device)
    return Reply(shapes.show_session(session))


async def close(call: Call) -> Reply:
    """Close a session as its payee: take what was promised, and release the rest."""
    body = call.body(bodies.CaptureBody) if call.raw else bodies.CaptureBody()
    units = None if body.units is None else parse_units(body.units)
    session = await call.desk.sessions.close(call.path["session"], call.asker.sees, units)
    return Reply(shapes.show_session(session))


async def look_up(call: Call) -> Reply:
    """Tell how a session stands, with its tariff and its deposits."""

    def work(tx: Tx) -> tuple[Session | None, Any]:
        found = one(tx, SESSIONS, call.path["session"])
        # As much is asked where there is none.
        return found, one(tx, TARIFFS, found.tariff if found is not None else b"")

    session, tariff = await call.desk.ctx.database.read(work)
    if session is None or not may_see(call.asker, session):
        raise Missing("no-such-session", "there is no such session here")
    shown = shapes.show_session(session)
    shown["tariff"] = read_tariff(tariff.text).members() if tariff is not None else {}
    return Reply(shown)


def may_see(asker: Principal, session: Session) -> bool:
    """Tell whether a session is the asker's business: its device's, or either owner's."""
    if asker.device:
        return asker.device == session.device
    return asker.sees in (None, session.owner, session.payee_owner)


async def list_sessions(call: Call) -> Reply:
    """List sessions, newest first."""
    where = {name: call.query[name] for name in ("state", "device") if name in call.query}
    if where.get("state", "open") not in ("open", "closed"):
        raise Malformed("invalid-filter", "state is open or closed")
    asker, limit, after = call.asker, limit_of(call), cursor_of(call, "ses")
    if asker.device:
        where["device"] = asker.device
    owner = None if asker.device else asker.sees

    def work(tx: Tx) -> list[Session]:
        if owner is None:
            return page(tx, SESSIONS, where, after=after, limit=limit)
        found: dict[str, Session] = {}
        for side in ("owner", "payee_owner"):
            rows = page(tx, SESSIONS, {**where, side: owner}, after=after, limit=limit)
            found |= {row.id: row for row in rows}
        return sorted(found.values(), key=lambda row: row.id, reverse=True)[:limit]

    rows = await call.desk.ctx.database.read(work)
    return listed([shapes.show_session(row) for row in rows], limit)


ENDPOINTS = [
    Endpoint(
        "POST",
        "/v1/sessions",
        "open_session",
        "Open a session",
        open_session,
        scopes=None,
        body=bodies.SessionBody,
        answer=session_answers.FundedAnswer,
        others={202: session_answers.FundedAnswer},
        told_apart_by="the order's nonce",
    ),
    Endpoint(
        "GET",
        "/v1/sessions",
        "list_sessions",
        "List sessions",
        list_sessions,
        scopes=ANY,
        devices=True,
        query={"state": "open or closed", "device": "only of this device", **PAGED},
        answer=answers.Page[session_answers.SessionAnswer],
    ),
    Endpoint(
        "GET",
        "/v1/sessions/{session}",
        "get_session",
        "How a session stands",
        look_up,
        scopes=ANY,
        devices=True,
        answer=session_answers.SessionAnswer,
    ),
    Endpoint(
        "POST",
        "/v1/sessions/{session}/deposits",
        "top_up_session",
        "Add to a session's deposit",
        top_up,
        scopes=None,
        body=bodies.DepositBody,
        answer=session_answers.FundedAnswer,
        others={202: session_answers.FundedAnswer},
        told_apart_by="the order's nonce",
    ),
    Endpoint(
        "POST",
        "/v1/sessions/{session}/vouchers",
        "draw_session",
        "Draw a session by a voucher",
        draw,
        scopes=None,
        body=bodies.VoucherBody,
        answer=session_answers.DrawnAnswer,
        told_apart_by="the voucher's own count",
    ),
    Endpoint(
        "POST",
        "/v1/vouchers",
        "draw_sessions",
        "Draw many sessions at once",
        draw_many,
        scopes=None,
        body=bodies.VouchersBody,
        answer=session_answers.DrawnItems,
        told_apart_by="each voucher's own count",
    ),
    Endpoint(
        "POST",
        "/v1/sessions/{session}/end",
        "end_session",
        "End a session as its payer",
        end,
        scopes=OWNER,
        devices=True,
        answer=session_answers.SessionAnswer,
        told_apart_by="the session's id",
    ),
    Endpoint(
        "POST",
        "/v1/sessions/{session}/close",
        "close_session",
        "Close a session as its payee",
        close,
        scopes=SELLER,
        body=bodies.CaptureBody,
        answer=session_answers.SessionAnswer,
        told_apart_by="the session's id",
    ),
]
