"""Whether a session's record says what its deposits, its vouchers and the history say."""

from collections.abc import Mapping

from farthing.clock import NS
from farthing.core.audit_fees import session_fees_fault
from farthing.core.closing import shares
from farthing.core.payments import Payment, State
from farthing.core.promises import Promise
from farthing.core.sessions import (
    EndedBy,
    Phase,
    Session,
    alias_of,
    opening_of,
    session_of,
    session_statement,
)
from farthing.core.ticks import stepped
from farthing.core.vouchers import Claims, read_voucher
from farthing.errors import Malformed
from farthing.keys import verify


def session_fault(
    session: Session, payments: Mapping[str, Payment], stated: bytes | None
) -> str | None:
    """Say what is wrong with a session's record, None if nothing is.

    Shape: `payments` has its deposits; `stated` is the statement of its leaf, if it names one.
    """
    deposits = [payments.get(ident) for ident in session.deposits]
    found = [payment for payment in deposits if payment is not None]
    if not found or len(found) != len(deposits):
        return "one of its deposits is missing"
    try:
        return (
            _opening_fault(session, found[0])
            or _deposits_fault(session, found)
            or _voucher_fault(session)
            or _end_fault(session, found, stated)
        )
    except Malformed as fault:
        return f"it has what cannot be read: {fault.detail}"


def _opening_fault(session: Session, payment: Payment) -> str | None:
    ours = (
        session.owner,
        session.payer,
        session.device,
        session.payee_owner,
        session.payee,
        session.asset,
        session.key,
        session.alias,
    )
    theirs = (
        payment.owner,
        payment.payer,
        payment.device,
        payment.payee_owner,
        payment.payee,
        payment.asset,
        payment.signing_key,
        alias_of(session.id),
    )
    if ours != theirs or session_of(payment) != session.id:
        return "it is not what its first deposit opened"
    try:
        opening = opening_of(payment.resource)
    except Malformed:
        opening = None
    if opening is None or (session.tariff, session.purpose) != (opening.tariff, opening.purpose):
        return "its tariff or purpose is not what the device signed"
    if session.closes_ns - session.ends_ns != opening.grace_seconds * NS:
        return "its grace is not what the device signed"
    agreed = session.created_ns + opening.lifetime_seconds * NS
    early = session.ended_by is EndedBy.PAYER and session.ends_ns <= agreed
    return None if early or session.ends_ns == agreed else "its end is not what the device signed"


def _deposits_fault(session: Session, deposits: list[Payment]) -> str | None:
    if len(set(session.deposits)) != len(deposits):
        return "one of its deposits is counted twice"
    if session.deposit != sum(payment.amount for payment in deposits):
        return "its deposit is not the sum of its deposits"
    sides = (session.device, session.payer, session.payee, session.asset)
    for payment in deposits:
        if (payment.device, payment.payer, payment.payee, payment.asset) != sides:
            return f"{payment.id} is a deposit of somebody else"
    return None


def _voucher_fault(session: Session) -> str | None:
    if not session.voucher:
        said = session.units or session.sequence or session.ticks or session.tick
        return "it promises money without a voucher" if said else None
    try:
        voucher = read_voucher(session.voucher)
    except Malformed:
        return "its voucher cannot be read"
    claims = voucher.claims
    promise = Promise(claims, session.voucher, session.ticks, session.tick)
    if (promise.units, claims.alias) != (session.units, session.alias):
        return "its voucher promises something else"
    if claims.sequence > session.sequence:
        return "its sequence is behind that of its voucher"
    if session.units > session.deposit:
        return "its voucher promises more than its deposit"
    algorithm = session.key.partition(":")[0]
    message = voucher.signed_bytes(session.agreed)
    if not voucher.is_for(algorithm) or not verify(session.key, voucher.signature, message):
        return "its voucher is not signed by its device"
    return _tick_fault(session, claims)


def _tick_fault(session: Session, claims: Claims) -> str | None:
    """Say whether its highest tick is of the ladder that its voucher commits to."""
    ladder = claims.ladder
    if ladder is None:
        return "it has ticks, and its voucher no ladder" if session.ticks or session.tick else None
    if not 0 <= session.ticks <= ladder.most:
        return "it has more ticks than its voucher commits to"
    if stepped(session.alias, session.tick, session.ticks) != ladder.anchor:
        return "its highest tick is not of the ladder that its device signed"
    return None


def _end_fault(session: Session, deposits: list[Payment], stated: bytes | None) -> str | None:
    held = [payment for payment in deposits if payment.state is State.HELD]
    if session.state is Phase.OPEN:
        if session.leaf or session.captured or session.unsettled:
            return "it is open, and says how it was closed"
        return None if len(held) == len(deposits) else "it is open, and its money is not held"
    if stated != session_statement(session):
        return "its record is not what its statement says"
    if session.captured > session.units:
        return "more was taken than was promised"
    if session.unsettled != len(held):
        return f"{len(held)} of its deposits are still held"
    parts = shares(session, deposits)
    for payment, share in zip(deposits, parts, strict=True):
        if payment.state is not State.HELD and payment.captured != share:
            return f"{payment.id} gave {payment.captured} units, its share is {share}"
    under_fees = any(payment.fees for payment in deposits)
    return session_fees_fault(deposits, parts) if under_fees else None
