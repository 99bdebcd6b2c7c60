"""The audit of sessions: each compared with its deposits, and each deposit with a session."""

import hashlib
from collections.abc import Iterator

from farthing.core.audit_faults import Broken, broken
from farthing.core.audit_sessions import session_fault
from farthing.core.payments import PAYMENTS, State
from farthing.core.session_charges import CHARGES
from farthing.core.sessions import (
    ALIASES,
    SESSIONS,
    TARIFFS,
    Phase,
    Session,
    alias_key,
    is_deposit,
    session_of,
)
from farthing.store import audit_rows as rows
from farthing.store.database import Tx
from farthing.store.mapping import mapping

_FUNDED = (State.HELD, State.CAPTURED, State.VOIDED)


def check_sessions(tx: Tx, stated: int) -> int:
    """Compare every session, and tell how many there are.

    Shape: `stated` is how many sessions history says were closed.
    Raises: Broken.
    """
    seen = closed = 0
    for session in _sessions(tx):
        deposits = tx.fetch(PAYMENTS, session.deposits)
        statement = rows.statement(tx, session.leaf) if session.leaf else None
        wrong = session_fault(session, deposits, statement) or _beside_fault(tx, session)
        if wrong is not None:
            raise _session_broken(session.id, wrong)
        seen += 1
        closed += session.state is Phase.CLOSED
    if closed != stated:
        raise broken("sessions", f"history closed {stated} of them, {closed} are closed")
    _check_deposits(tx)
    return seen


def _beside_fault(tx: Tx, session: Session) -> str | None:
    """Say what is wrong with its tariff's text, or with how its vouchers find it."""
    tariff = tx.fetch(TARIFFS, [session.tariff]).get(session.tariff)
    if tariff is None or hashlib.sha256(tariff.text.encode()).digest() != session.tariff:
        return "the tariff that was agreed is not kept"
    key = alias_key(session.payee, session.alias)
    alias = tx.fetch(ALIASES, [key]).get(key)
    if session.state is Phase.OPEN and (alias is None or alias.session != session.id):
        return "its vouchers are not found by its alias"
    charges = tx.fetch(CHARGES, [session.id]).get(session.id)
    if charges is not None and not 0 <= charges.charged <= session.units:
        return "more was charged of it than was promised"
    return None


def _sessions(tx: Tx) -> Iterator[Session]:
    mapped, after = mapping(SESSIONS), ""
    while page := tx.rows(f"{mapped.select} WHERE id > ? ORDER BY id LIMIT {rows.PAGE}", (after,)):
        for row in page:
            after = row[0]
            try:
                session = mapped.row(row)
            except (ValueError, TypeError) as fault:
                raise _session_broken(str(row[0]), f"it cannot be read: {fault}") from None
            yield session


def _check_deposits(tx: Tx) -> None:
    """Find money that is held, or was, for a session that does not know of it."""
    mapped, after = mapping(PAYMENTS), ""
    sql = (
        f"{mapped.select} WHERE id > ? AND (resource LIKE 'SESSION %' OR resource LIKE 'TOPUP %')"
        f" ORDER BY id LIMIT {rows.PAGE}"
    )
    while page := tx.rows(sql, (after,)):
        for row in page:
            payment = mapped.row(row)
            after = payment.id
            if payment.state not in _FUNDED or not is_deposit(payment.resource):
                continue
            ident = session_of(payment)
            session = tx.fetch(SESSIONS, [ident]).get(ident)
            if session is None or payment.id not in session.deposits:
                raise broken("payment", "its session does not know of it", name=payment.id)


def _session_broken(ident: str, what: str) -> Broken:
    return broken("session", what, name=ident)
