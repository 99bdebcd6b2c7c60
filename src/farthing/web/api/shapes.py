"""What the API shows of records. Amounts are decimal strings of units; times RFC 3339 in UTC."""

import msgspec

from farthing.clock import NS, write_time, write_time_ns
from farthing.codec import to_base64url
from farthing.core.accounts import AccountRecord, balances
from farthing.core.agreeing import proposed_of
from farthing.core.devices import Device
from farthing.core.events import Event
from farthing.core.fees import Fee, FeeTerms, read_fees
from farthing.core.flags import read_flag
from farthing.core.ledger import Account
from farthing.core.mandates import Mandate
from farthing.core.offers import OfferRecord
from farthing.core.owners import KeyRecord, OwnerRecord, Principal
from farthing.core.payments import MONEY, Payment
from farthing.core.people import Person
from farthing.core.refunds import Refund
from farthing.core.said import Said, read_said
from farthing.core.sessions import Session, current, is_deposit
from farthing.core.usage import Usage
from farthing.money import UNITS_MAX
from farthing.services.payments import shown_state, split_reason
from farthing.web.api import answers, session_answers


def show_owner(owner: OwnerRecord) -> answers.OwnerAnswer:
    """Write an owner."""
    return {
        "id": owner.id,
        "name": owner.name,
        "time_zone": owner.time_zone,
        "created_at": write_time_ns(owner.created_ns),
    }


def show_person(person: Person) -> answers.PersonAnswer:
    """Write a person."""
    return {
        "id": person.id,
        "owner": person.owner,
        "name": person.name,
        "roles": person.roles,
        "created_at": write_time_ns(person.created_ns),
        "removed_at": write_time_ns(person.removed_ns) if person.removed_ns else None,
    }


def show_key(key: KeyRecord) -> answers.KeyAnswer:
    """Write an API key without its secret, which is not kept."""
    return {
        "id": key.id,
        "owner": key.owner,
        "scopes": key.scopes,
        "label": key.label,
        "created_at": write_time_ns(key.created_ns),
        "revoked_at": write_time_ns(key.revoked_ns) if key.revoked_ns else None,
    }


def show_account(account: AccountRecord, counters: Account | None) -> answers.AccountAnswer:
    """Write an account, with its counters where they were read."""
    shown: answers.AccountAnswer = {
        "id": account.id,
        "owner": account.owner,
        "asset": account.asset,
        "name": account.name,
        "state": account.state,
        "frozen_by": account.frozen_by or None,
        "money": MONEY,
        "created_at": write_time_ns(account.created_ns),
    }
    if counters is not None:
        shown["balance"] = answers.Balance(**balances(counters))
    return shown


def show_mandate(mandate: Mandate, now_ns: int) -> answers.MandateAnswer:
    """Write a mandate, and what waits for a second person."""
    found = proposed_of(mandate, now_ns)
    proposed: answers.ProposedAnswer | None = None
    if found is not None:
        at, until = write_time_ns(found.at_ns), write_time_ns(found.ends_ns)
        proposed = {
            "by": found.who,
            "at": at,
            "until": until,
            "wanted": _mandate_terms(found.wanted),
        }
    return {**_mandate_terms(mandate), "proposed": proposed}


def _mandate_terms(mandate: Mandate) -> answers.MandateTerms:
    return {
        "id": mandate.id,
        "owner": mandate.owner,
        "asset": mandate.asset,
        "name": mandate.name,
        "largest": str(mandate.largest) if mandate.largest < UNITS_MAX else None,
        "budgets": [
            {
                "name": budget.name,
                "per": budget.per,
                "limit": str(budget.limit),
                "payees": budget.payees,
                "categories": budget.categories,
            }
            for budget in mandate.budgets
        ],
        "payees": mandate.payees,
        "categories": mandate.categories,
        "hours": mandate.hours,
        "time_zone": mandate.zone,
        "expires": write_time(mandate.expires) if mandate.expires else None,
        "ask_above": None if mandate.ask_above is None else str(mandate.ask_above),
        "two_above": None if mandate.two_above is None else str(mandate.two_above),
        "ask_seconds": mandate.ask_seconds,
        "on_timeout": mandate.on_timeout,
        "revision": mandate.revision,
        "revoked_at": write_time_ns(mandate.revoked_ns) if mandate.revoked_ns else None,
    }


def show_device(device: Device) -> answers.DeviceAnswer:
    """Write a device."""
    return {
        "id": device.id,
        "owner": device.owner,
        "account": device.account,
        "mandate": device.mandate,
        "name": device.name,
        "keys": [
            {
                "public_key": key.public,
                "from": write_time_ns(key.from_ns),
                "until": write_time_ns(key.until_ns) if key.until_ns else None,
            }
            for key in device.keys
        ],
        "created_at": write_time_ns(device.created_ns),
        "revoked_at": write_time_ns(device.revoked_ns) if device.revoked_ns else None,
    }


def show_offer(offer: OfferRecord) -> answers.OfferAnswer:
    """Write an offer."""
    return {
        "id": offer.id,
        "owner": offer.owner,
        "payee": offer.payee,
        "method": offer.method,
        "path": offer.path,
        "asset": offer.asset,
        "amount": str(offer.amount),
        "description": offer.description,
        "category": offer.category,
        "valid_from": write_time(offer.valid_from) if offer.valid_from else None,
        "valid_until": write_time(offer.valid_until) if offer.valid_until else None,
        "free_for": offer.free_for,
        "listed_at": offer.listed_at or None,
        "withdrawn_at": write_time_ns(offer.withdrawn_ns) if offer.withdrawn_ns else None,
        "fee": None if offer.fee is None else _terms(offer.fee),
        "metered": None if offer.usage is None else _metered(offer.usage),
    }


def _terms(fee: FeeTerms) -> answers.FeeTermsAnswer:
    return {
        "account": fee.account,
        "ppm": fee.ppm,
        "flat": str(fee.flat),
        "minimum": str(fee.minimum),
        "rounding": fee.rounding,
        "on_refund": fee.on_refund,
    }


def _metered(usage: Usage) -> answers.MeteredAnswer:
    return {
        "tariff": usage.tariff.members(),
        "reserve": usage.reserve,
        "deposit": str(usage.deposit),
        "lifetime_seconds": usage.lifetime_seconds,
        "grace_seconds": usage.grace_seconds,
    }


def show_payment(payment: Payment, now_ns: int, sees: str | None = None) -> answers.PaymentAnswer:
    """Write a payment as its payer, its payee or its device may see it.

    Shape: `sees` is the owner who looks; None for the operator, and for who carries the order.
    """
    reason, detail = "", ""
    if payment.reason:
        reason, detail = split_reason(payment.reason, named=sees in (None, payment.owner))
    created = changed = write_time_ns(payment.created_ns)
    if payment.changed_ns != payment.created_ns:
        changed = write_time_ns(payment.changed_ns)
    shown: answers.PaymentAnswer = {
        "id": payment.id,
        "state": shown_state(payment, now_ns).value,
        "reason": reason or None,
        "detail": detail or None,
        "payer": payment.payer,
        "device": payment.device,
        "payee": payment.payee,
        "asset": payment.asset,
        "amount": str(payment.amount),
        "captured": str(payment.captured),
        "refunded": str(payment.refunded),
        "category": payment.category or None,
        "resource": payment.resource or None,
        "challenge": payment.challenge,
        "delivery": payment.delivery or None,
        "hold_ends": _hold_ends(payment),
        "ask_ends": write_time(payment.ask_ends_ns // NS) if payment.ask_ends_ns else None,
        "money": MONEY,
        "created_at": created,
        "changed_at": changed,
    }
    if payment.fees:
        shown["fees"] = [_fee(fee) for fee in read_fees(payment.fees)]
    return shown


def show_payment_to(payment: Payment, now_ns: int, asker: Principal) -> answers.PaymentAnswer:
    """Write a payment for who asks for it.

    Shape: what was odd about it, and who answered, is for the payer's owner and the operator: a
           device that was stolen would learn from it how to be like itself.
    """
    shown = show_payment(payment, now_ns, asker.sees)
    if asker.device or asker.sees not in (None, payment.owner):
        return shown
    if payment.answers:
        shown["answers"] = [_said(said) for said in read_said(payment.answers)]
    flag = read_flag(payment.risk)
    if flag is not None:
        shown["risk"] = {
            "act": flag.act.value,
            "would": flag.would.value,
            "typologies": list(flag.typologies),
            "reasons": [
                {"rule": one.rule, "said": one.said, "acts": one.acts} for one in flag.reasons
            ],
        }
    return shown


def _said(said: Said) -> answers.SaidAnswer:
    return {
        "answer": said.answer,
        "by": said.who or None,
        "means": said.means.value,
        "at": write_time_ns(said.at_ns),
    }


def show_with_receipt(shown: answers.PaymentAnswer, receipt: bytes) -> bytes:
    """Write a payment as JSON text, with its receipt's text as its last member."""
    return b'%b,"receipt":%b}' % (msgspec.json.encode(shown)[:-1], receipt)


def _fee(fee: Fee) -> answers.FeeAnswer:
    return {
        "of": fee.of,
        **_terms(fee),
        "units": str(fee.units),
        "returned": str(fee.returned),
        "waived": fee.waived,
    }


def _hold_ends(payment: Payment) -> str | None:
    if not payment.hold_ends_ns or is_deposit(payment.resource):
        return None  # A deposit's hold ends with its session.
    return write_time(payment.hold_ends_ns // NS)


def show_session(session: Session) -> session_answers.SessionAnswer:
    """Write a session."""
    return {
        "id": session.id,
        "state": session.state.value,
        "ended_by": session.ended_by.value or None,
        "payer": session.payer,
        "device": session.device,
        "payee": session.payee,
        "asset": session.asset,
        "alias": to_base64url(session.alias),
        "key": session.key,
        "tariff_hash": to_base64url(session.tariff),
        "purpose": session.purpose,
        "deposit": str(session.deposit),
        "deposits": session.deposits,
        "promised": str(session.units),
        "sequence": str(session.sequence),
        "voucher": to_base64url(session.voucher),
        "ticks": str(session.ticks),
        "tick": to_base64url(session.tick),
        "captured": str(session.captured),
        "unsettled": session.unsettled,
        "ends_at": write_time_ns(session.ends_ns),
        "closes_at": write_time_ns(session.closes_ns),
        "money": MONEY,
        "created_at": write_time_ns(session.created_ns),
        "changed_at": write_time_ns(session.changed_ns),
    }


def show_drawn(session: Session) -> session_answers.DrawnAnswer:
    """Write how far a session is drawn."""
    return session_answers.DrawnAnswer(**current(session))


def show_refund(refund: Refund, payment: Payment) -> answers.RefundAnswer:
    """Write a refund."""
    return {
        "id": refund.id,
        "payment": refund.payment,
        "state": refund.state,
        "units": str(refund.units),
        "asset": payment.asset,
        "reason": refund.reason,
        "refunded": str(payment.refunded),
        "created_at": write_time_ns(refund.created_ns),
    }


def show_event(event: Event) -> answers.EventAnswer:
    """Write an event."""
    return {
        "id": str(event.number),
        "kind": event.kind,
        "subject": event.subject,
        "at": write_time_ns(event.time_ns),
        "body": event.body,
    }
