"""Sales that are given back, in parts or whole: read back first, and confirmed with a passkey."""

from farthing.core.payments import Payment, State
from farthing.core.refunds import GiveBack
from farthing.errors import Conflict, Malformed, Missing, PaymentRefused
from farthing.money import parse_units
from farthing.web.api.endpoint import Reply
from farthing.web.pages.approvals import Act, refunding_act
from farthing.web.pages.book import Book
from farthing.web.pages.confirming import confirmed
from farthing.web.pages.place import one_line
from farthing.web.pages.typed import LINE_MAX, units_typed
from farthing.web.pages.visit import Visit

_REASON_MAX = 200


async def check_refund(visit: Visit, form: dict[str, str]) -> Reply:
    """Read back what is to be given back, before anything is.

    Raises: Malformed `refund-too-large`, `malformed-price`; Missing; Conflict.
    """
    payment = await sold(visit, visit.call.path["payment"])
    amount = one_line(form.get("amount", ""), LINE_MAX)
    typed = units_typed(visit, amount, payment.asset)
    units = _within(payment, typed if typed is not None else left_of(payment))
    reason = one_line(form.get("reason", ""), _REASON_MAX)
    return visit.page("check_refund.html", payment=payment, units=units, reason=reason)


async def refund(visit: Visit, form: dict[str, str]) -> Reply:
    """Give a sale back, whole or in part, confirmed with a passkey.

    Raises: Unauthenticated `passkey-needed`; Malformed; Missing; Conflict; PaymentRefused.
    """
    payment = await sold(visit, visit.call.path["payment"])
    units = _named(payment, form.get("units", ""))
    reason = one_line(form.get("reason", ""), _REASON_MAX)
    name, owner = visit.call.desk.ctx.fresh_name("ref"), visit.me.person.owner
    unit = GiveBack(name, payment.id, owner, units, reason)
    done = await confirmed(visit, form, refunding_act(payment, units), unit)
    if done.refund.state != "done":
        detail = "your account does not hold enough; top it up and send the same refund id again"
        raise PaymentRefused("insufficient-seller-balance", detail, refund=name)
    return visit.go(f"/wallet/payments/{payment.id}")


async def act_of(visit: Visit, subject: str) -> Act:
    """Give what a passkey confirms of a refund: `subject` names the sale, and how much of it.

    Raises: Malformed; Missing; Conflict.
    """
    ident, _, units = subject.partition(":")
    payment = await sold(visit, ident)
    return refunding_act(payment, _named(payment, units))


async def sold(visit: Visit, ident: str) -> Payment:
    """Give a payment that the visitor's owner was paid.

    Raises: Missing.
    """
    owner = visit.me.person.owner
    line = await Book(visit.call.desk.ctx, owner).line(ident)
    if line is None or line.payment.payee_owner != owner:
        raise Missing("no-such-payment", "there is no such payment here")
    return line.payment


def left_of(payment: Payment) -> int:
    """Tell how much of a sale could be given back. Units: smallest units."""
    return payment.captured - payment.refunded


def _named(payment: Payment, units: str) -> int:
    """Read how much is to be given back; where it is left out, all that is left."""
    return _within(payment, parse_units(units) if units else left_of(payment))


def _within(payment: Payment, units: int) -> int:
    left = left_of(payment)
    if payment.state is not State.CAPTURED or not left:
        raise Conflict("already-refunded", "nothing of this payment is left to give back")
    if not 0 < units <= left:
        raise Malformed("refund-too-large", f"{left} units are left to refund")
    return units
