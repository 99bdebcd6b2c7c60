"""Events: facts that happened, in one vocabulary, numbered in the order they became true."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec

from farthing.core.records import Table, Write

PER_LEAF = 16


class Kind(StrEnum):
    """Every kind of event there is."""

    OWNER_CREATED = "owner.created"
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    ACCOUNT_OPENED = "account.opened"
    ACCOUNT_CREDITED = "account.credited"
    ACCOUNT_FROZEN = "account.frozen"
    ACCOUNT_UNFROZEN = "account.unfrozen"
    ACCOUNT_CLOSED = "account.closed"
    DEVICE_INVITED = "device.invited"
    DEVICE_ENROLLED = "device.enrolled"
    DEVICE_ROTATED = "device.rotated"
    DEVICE_REVOKED = "device.revoked"
    MANDATE_SET = "mandate.set"
    MANDATE_REVOKED = "mandate.revoked"
    MANDATE_PROPOSED = "mandate.proposed"
    MANDATE_DECLINED = "mandate.declined"
    OFFER_SET = "offer.set"
    OFFER_WITHDRAWN = "offer.withdrawn"
    PERSON_INVITED = "person.invited"
    PERSON_REMOVED = "person.removed"
    PERSON_SIGNED_IN = "person.signed_in"
    PERSON_PROVISIONED = "person.provisioned"
    IDENTITY_LINKED = "identity.linked"
    IDENTITY_UNLINKED = "identity.unlinked"
    PASSKEY_ADDED = "passkey.added"
    PASSKEY_REMOVED = "passkey.removed"
    RECOVERY_CODES_MADE = "recovery_codes.made"
    PAYMENT_HELD = "payment.held"
    PAYMENT_CAPTURED = "payment.captured"
    PAYMENT_REFUSED = "payment.refused"
    PAYMENT_AWAITING = "payment.awaiting"
    PAYMENT_VOIDED = "payment.voided"
    PAYMENT_EXPIRED = "payment.expired"
    PAYMENT_REFUNDED = "payment.refunded"
    PAYMENT_DELIVERY_INCOMPLETE = "payment.delivery_incomplete"
    PAYMENT_FLAGGED = "payment.flagged"
    CASE_PROPOSED = "case.proposed"
    CASE_DECIDED = "case.decided"
    PAYMENT_FIRST_APPROVAL = "payment.first_approval"
    FEE_TAKEN = "fee.taken"
    FEE_RETURNED = "fee.returned"
    SESSION_OPENED = "session.opened"
    SESSION_TOPPED_UP = "session.topped_up"
    SESSION_ENDED = "session.ended"
    SESSION_CLOSED = "session.closed"
    TOP_UP_BEGUN = "topup.begun"
    TOP_UP_WAITS = "topup.waits"
    TOP_UP_SETTLED = "topup.settled"
    TOP_UP_FAILED = "topup.failed"
    PAYOUT_BEGUN = "payout.begun"
    PAYOUT_WAITS = "payout.waits"
    PAYOUT_SETTLED = "payout.settled"
    PAYOUT_FAILED = "payout.failed"
    WEBHOOK_ADDED = "webhook.added"
    WEBHOOK_ROTATED = "webhook.rotated"
    WEBHOOK_ENABLED = "webhook.enabled"
    WEBHOOK_DISABLED = "webhook.disabled"
    WEBHOOK_REMOVED = "webhook.removed"
    WEBHOOK_TESTED = "webhook.tested"
    WEBHOOK_GAVE_UP = "webhook.gave_up"
    NOTICES_SET = "notices.set"
    ADDRESS_ADDED = "address.added"
    ADDRESS_PROVEN = "address.proven"
    ADDRESS_REMOVED = "address.removed"
    HUB_KEY_ROTATED = "hub.key_rotated"
    HUB_ROLLBACK_ACCEPTED = "hub.rollback_accepted"


EXPLAINED: dict[Kind, str] = {
    Kind.OWNER_CREATED: "an owner was made",
    Kind.KEY_CREATED: "an API key was made",
    Kind.KEY_REVOKED: "an API key was revoked",
    Kind.ACCOUNT_OPENED: "an account was opened",
    Kind.ACCOUNT_CREDITED: "an account got test money",
    Kind.ACCOUNT_FROZEN: "an account was frozen: nothing moves in or out",
    Kind.ACCOUNT_UNFROZEN: "a frozen account was opened again",
    Kind.ACCOUNT_CLOSED: "an account was closed for good",
    Kind.DEVICE_INVITED: "a one-time enrolment code was made",
    Kind.DEVICE_ENROLLED: "a device took up its invitation",
    Kind.DEVICE_ROTATED: "a device changed its key",
    Kind.DEVICE_REVOKED: "a device was revoked",
    Kind.MANDATE_SET: "a mandate was made or changed, or a device was put under it",
    Kind.MANDATE_REVOKED: "a mandate was revoked",
    Kind.MANDATE_PROPOSED: "one person wants of a mandate what takes two people",
    Kind.MANDATE_DECLINED: "what one person wanted of a mandate is not to be; it is as it was",
    Kind.OFFER_SET: "an offer was put up or changed",
    Kind.OFFER_WITHDRAWN: "an offer was withdrawn",
    Kind.PERSON_INVITED: "a one-time link was made for a person to sign in with",
    Kind.PERSON_REMOVED: "a person is let in no more",
    Kind.PERSON_SIGNED_IN: "a person signed in",
    Kind.PERSON_PROVISIONED: "a person came by their organisation, or has other roles there now",
    Kind.IDENTITY_LINKED: "a person may sign in by their organisation as well",
    Kind.IDENTITY_UNLINKED: "a person signs in by their organisation no more",
    Kind.PASSKEY_ADDED: "a person has another passkey; `by` says what let them add it",
    Kind.PASSKEY_REMOVED: "a person's passkey was taken away",
    Kind.RECOVERY_CODES_MADE: "a person made recovery codes; older ones are good no more",
    Kind.PAYMENT_HELD: "money is held for a payment, or an approved hold was claimed",
    Kind.PAYMENT_CAPTURED: "a payment was captured, all or part of it",
    Kind.PAYMENT_REFUSED: "a payment was refused; `reason` says why",
    Kind.PAYMENT_AWAITING: "a payment awaits its owner's answer",
    Kind.PAYMENT_VOIDED: "a hold was released by the seller",
    Kind.PAYMENT_EXPIRED: "a hold's time was over",
    Kind.PAYMENT_REFUNDED: "captured money was given back, all or part of it",
    Kind.PAYMENT_DELIVERY_INCOMPLETE: "an answer broke off after it was paid",
    Kind.PAYMENT_FLAGGED: "an order was odd; `reasons` says how, to its payer's owner alone",
    Kind.CASE_PROPOSED: "what a flagged payment was, as one of two says (the operator's event)",
    Kind.CASE_DECIDED: "what a flagged payment was, as people say (the operator's event)",
    Kind.PAYMENT_FIRST_APPROVAL: "one of two people approved; another one is asked still",
    Kind.FEE_TAKEN: "an account got the fee of a payment",
    Kind.FEE_RETURNED: "a fee went back to a payee, all or part of it, with a refund",
    Kind.SESSION_OPENED: "a session was opened: its deposit is held",
    Kind.SESSION_TOPPED_UP: "a session got a further deposit",
    Kind.SESSION_ENDED: "a payer ended a session; its payee may still hand in what it has",
    Kind.SESSION_CLOSED: "a session was closed: `captured` is taken, the rest is released",
    Kind.TOP_UP_BEGUN: "a rail is told to bring money in",
    Kind.TOP_UP_WAITS: "a rail does not know yet, or was not heard; it is asked again",
    Kind.TOP_UP_SETTLED: "money came in, and the account has it",
    Kind.TOP_UP_FAILED: "no money came in; `reason` says why",
    Kind.PAYOUT_BEGUN: "money is held, and a rail is told to pay it out",
    Kind.PAYOUT_WAITS: "a rail does not know yet, or was not heard; the money stays held",
    Kind.PAYOUT_SETTLED: "money went out",
    Kind.PAYOUT_FAILED: "no money went out, and the account has it again; `reason` says why",
    Kind.WEBHOOK_ADDED: "events are sent to a URL from now on",
    Kind.WEBHOOK_ROTATED: "a webhook got a new secret",
    Kind.WEBHOOK_ENABLED: "a webhook was turned on again, and goes on where it was",
    Kind.WEBHOOK_DISABLED: "nothing is sent to a webhook any more; `why` says why",
    Kind.WEBHOOK_REMOVED: "a webhook was removed, with its URL and its secrets",
    Kind.WEBHOOK_TESTED: "somebody had a message sent to a webhook, to try it",
    Kind.WEBHOOK_GAVE_UP: "an event was not delivered in all its tries; a replay sends it again",
    Kind.NOTICES_SET: "a person wants to be told otherwise: other ways, hours or classes",
    Kind.ADDRESS_ADDED: "a person gave an address for notices; it has to be proven",
    Kind.ADDRESS_PROVEN: "a person is told of what happens at another address; `way` says which",
    Kind.ADDRESS_REMOVED: "a person is told nothing at an address any more; `why` says why",
    Kind.HUB_KEY_ROTATED: "a new signing key was admitted (the operator's event)",
    Kind.HUB_ROLLBACK_ACCEPTED: "older books were accepted on purpose (the operator's event)",
}
"""What each kind means, for people."""


class Event(msgspec.Struct, frozen=True):
    """One fact, as one owner may know it.

    Units: `number` grows in commit order and never repeats; `time_ns` is the book's time.
    Shape: `body` is empty in the books where it is a payment's, and the statement of its leaf
           says it all; `subject` then is too. Who reads events gets both from there.
    """

    number: int
    owner: str
    kind: str
    subject: str
    time_ns: int
    body: dict[str, Any]


EVENTS = Table("events", Event, "number", passing=True, numbered=("owner",))
OF_PAYMENTS = frozenset(kind.value for kind in Kind if kind.value.startswith("payment."))
OF_RAILS = frozenset(kind.value for kind in Kind if kind.value.startswith(("topup.", "payout.")))


def kept_events(events: Sequence[Event]) -> list[Event]:
    """Leave out what the statement of its leaf says of an event's subject."""
    return [
        event
        if event.body or event.kind not in OF_PAYMENTS
        else Event(event.number, event.owner, event.kind, "", event.time_ns, event.body)
        for event in events
    ]


class Fact(msgspec.Struct, frozen=True):
    """What happened, to what, and who may know it."""

    owner: str
    kind: Kind
    subject: str
    body: dict[str, Any]


def event_writes(leaf: int, time_ns: int, facts: Sequence[Fact]) -> list[Write]:
    """Number a unit's facts after the leaf that holds its statement."""
    return [
        Write(EVENTS, Event(i, fact.owner, fact.kind._value_, fact.subject, time_ns, fact.body))
        for i, fact in enumerate(facts, leaf * PER_LEAF)
    ]
