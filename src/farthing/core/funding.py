"""A deposit is held: the session that it opens, or the one that it adds to."""

import msgspec

from farthing.clock import NS
from farthing.core.decisions import View
from farthing.core.events import Fact, Kind
from farthing.core.facts import body_of
from farthing.core.payments import Payment
from farthing.core.records import Write
from farthing.core.refusals import Refusal
from farthing.core.sessions import (
    ALIASES,
    DEPOSITS_MAX,
    SESSIONS,
    Alias,
    EndedBy,
    Opening,
    Phase,
    Session,
    alias_key,
    alias_of,
    opening_of,
    session_of,
)
from farthing.errors import ensure, present


def deposit_refusal(view: View, payment: Payment) -> Refusal | None:
    """Say why a session cannot take this deposit now, balances and rules apart."""
    if opening_of(payment.resource) is not None:
        key = alias_key(payment.payee, alias_of(session_of(payment)))
        return Refusal.SESSION_ALIAS if view.get(ALIASES, key) is not None else None
    session = view.get(SESSIONS, session_of(payment))
    if session is None or not _fits(session, payment):
        return Refusal.NO_SUCH_SESSION
    if session.state is not Phase.OPEN or view.now_ns >= session.ends_ns:
        return Refusal.SESSION_OVER
    if len(session.deposits) >= DEPOSITS_MAX:
        return Refusal.SESSION_FULL
    return None


def _fits(session: Session, payment: Payment) -> bool:
    ours = (session.device, session.payer, session.payee, session.asset)
    return ours == (payment.device, payment.payer, payment.payee, payment.asset)


def funded(view: View, payment: Payment) -> tuple[Session, list[Write]]:
    """Open the session whose deposit was just held, or raise the deposit of one."""
    opening = opening_of(payment.resource)
    if opening is None:
        before = present(view.get(SESSIONS, session_of(payment)), "it was there when asked")
        ensure(before.state is Phase.OPEN, "money is added to open sessions only")
        session = msgspec.structs.replace(
            before,
            deposit=before.deposit + payment.amount,
            deposits=[*before.deposits, payment.id],
            changed_ns=view.now_ns,
        )
        return session, [Write(SESSIONS, session)]
    session = _opened(view, payment, opening)
    alias = Alias(alias_key(session.payee, session.alias), session.id)
    return session, [Write(SESSIONS, session), Write(ALIASES, alias)]


def _opened(view: View, payment: Payment, opening: Opening) -> Session:
    ident = session_of(payment)
    ends_ns = view.now_ns + opening.lifetime_seconds * NS
    return Session(
        id=ident,
        state=Phase.OPEN,
        owner=payment.owner,
        payer=payment.payer,
        device=payment.device,
        payee_owner=payment.payee_owner,
        payee=payment.payee,
        asset=payment.asset,
        alias=alias_of(ident),
        tariff=opening.tariff,
        key=payment.signing_key,
        purpose=opening.purpose,
        deposit=payment.amount,
        deposits=[payment.id],
        units=0,
        sequence=0,
        voucher=b"",
        captured=0,
        unsettled=0,
        ended_by=EndedBy.NOBODY,
        ends_ns=ends_ns,
        closes_ns=ends_ns + opening.grace_seconds * NS,
        created_ns=view.now_ns,
        changed_ns=view.now_ns,
        leaf=0,
    )


def session_facts(session: Session, kind: Kind) -> list[Fact]:
    """Tell both owners what happened to a session."""
    body = body_of(
        asset=session.asset,
        captured=session.captured if session.state is Phase.CLOSED else None,
        deposit=session.deposit,
        device=session.device,
        ended_by=session.ended_by.value or None,
        payee=session.payee,
        payer=session.payer,
        promised=session.units,
        state=session.state.value,
    )
    owners = dict.fromkeys((session.owner, session.payee_owner))
    return [Fact(owner, kind, session.id, body) for owner in owners]
