"""A payment: the life of one order, its states, and what is stated about it."""

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from farthing import ids
from farthing.codec import to_base64url
from farthing.core.decisions import Outcome, View
from farthing.core.events import Fact, Kind, event_writes
from farthing.core.facts import body_of
from farthing.core.fees import fee_total, read_fees
from farthing.core.records import Table, Write
from farthing.core.said import said_told
from farthing.core.stated import record_digest
from farthing.errors import Missing

T = TypeVar("T")


class State(StrEnum):
    """Where a payment stands. Refused, captured, voided and expired are ends."""

    AWAITING = "awaiting"
    HELD = "held"
    CAPTURED = "captured"
    REFUSED = "refused"
    VOIDED = "voided"
    EXPIRED = "expired"


class Place:
    """Which of a payment's derived transfer ids is for what; budgets follow the money."""

    HOLD = 1
    FEE = 33
    CAPTURE = 65
    VOID = 129
    LIMIT = 193


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """One order's life.

    Units: amounts count smallest units; `expires` is the order's, in Unix seconds; times are ns.
    Shape: `order_digest` is the SHA-256 of the signed bytes; `budgets` is how many budgets
           the payment counts in; `claim` names the one who may serve it, once there is one;
           `hold_ends_ns` and `ask_ends_ns` are 0 when they do not apply; `leaf` is its newest
           statement's; `fees` is what `core/fees.py` writes, empty where nothing is taken; `risk`
           what `core/flags.py` writes, empty where nothing was odd about the order; `answers` what
           `core/said.py` writes, empty where nobody was asked or has answered yet.
    """

    id: str
    state: State
    reason: str
    owner: str
    payer: str
    device: str
    payee_owner: str
    payee: str
    asset: str
    ledger: int
    amount: int
    captured: int
    refunded: int
    category: str
    resource: str
    challenge: str | None
    nonce: str
    order_digest: bytes
    signing_key: str
    expires: int
    hub: str
    wants_capture: bool
    hold_seconds: int
    claim: str
    budgets: int
    hold_ends_ns: int
    ask_ends_ns: int
    ask: str
    delivery: str
    created_ns: int
    changed_ns: int
    leaf: int
    fees: str = ""
    risk: str = ""
    answers: str = ""

    @property
    def number(self) -> int:
        """The 128-bit id that the ledger's ids are derived from."""
        return ids.number("pay", self.id)


NEVER_NS = 2**62
"""When a hold ends that only its session ends."""

MONEY = "test"
"""What the money is: no rail brings any other in yet, and every statement says so."""

PAYMENTS = Table(
    "payments",
    Payment,
    "id",
    passing=True,
    free=("reason", "delivery"),
    fixed=("owner", "payee_owner", "challenge"),
    numbered=("owner", "payer", "device", "payee_owner", "payee", "signing_key", "hub"),
)


class Authorised(NamedTuple):
    """A payment, and whether this caller is the one who may serve it."""

    payment: Payment
    fresh: bool


EVENT_OF = {
    State.AWAITING: Kind.PAYMENT_AWAITING,
    State.HELD: Kind.PAYMENT_HELD,
    State.CAPTURED: Kind.PAYMENT_CAPTURED,
    State.REFUSED: Kind.PAYMENT_REFUSED,
    State.VOIDED: Kind.PAYMENT_VOIDED,
    State.EXPIRED: Kind.PAYMENT_EXPIRED,
}
_KIND_OF = {state.value: kind for state, kind in EVENT_OF.items()}
"""By the state's text: a member of an enum is hashed by a function of Python's own."""


def statement(payment: Payment, *, whole: bool = True) -> bytes:
    """State a payment for the history and its receipt: ids, amounts and hashes, no names.

    Shape: without `whole` as older versions did, which left the digest of the record out.
    """
    return _write_stated(
        _Stated(
            str(payment.amount), payment.asset, str(payment.captured), payment.device,
            _stated_fees(payment) if payment.fees else UNSET, payment.hub, "payment", MONEY,
            to_base64url(payment.order_digest), payment.payee, payment.payer, payment.id,
            _stated_reason(payment) if payment.reason else "",
            record_digest(PAYMENTS, payment) if whole else UNSET,
            str(payment.refunded), payment.state._value_,
        )
    )  # fmt: skip


class _Stated(msgspec.Struct):
    """A payment's statement: all texts, under names of ASCII in their canonical order."""

    amount: str
    asset: str
    captured: str
    device: str
    fees: list[dict[str, str]] | UnsetType
    hub: str
    kind: str
    money: str
    order: str
    payee: str
    payer: str
    payment: str
    reason: str
    record: str | UnsetType
    refunded: str
    state: str


_write_stated = msgspec.json.Encoder().encode


def _stated_fees(payment: Payment) -> list[dict[str, str]]:
    """State what was taken, for which account and for whom; the terms are in the record."""
    return [
        {
            "account": fee.account,
            "of": fee.of,
            "returned": str(fee.returned),
            "units": str(fee.units),
        }
        for fee in read_fees(payment.fees)
    ]


def _stated_reason(payment: Payment) -> str:
    """Give a refusal's code; what a person wrote is stated as a salted hash only.

    Shape: texts and names can be deleted, and the history cannot.
    """
    code, _, text = payment.reason.partition(":")
    if payment.state is not State.REFUSED:
        code, text = "", payment.reason
    if not text:
        return code
    salted = f"farthing-reason-1\n{payment.nonce}\n{text}".encode()
    return f"{code}:{to_base64url(hashlib.sha256(salted).digest())}"


def _payees_reason(payment: Payment) -> str:
    """Give a reason without the names that the payer's owner gave its budgets."""
    refused = payment.state is State.REFUSED
    return payment.reason.partition(":")[0] if refused else payment.reason


def settled(
    view: View,
    payment: Payment,
    answer: T,
    *more: Write,
    kind: Kind | None = None,
    also: Sequence[Fact] = (),
) -> Outcome[T]:
    """Write a payment's new state, its statement, and the events its two owners may know."""
    facts = [*_facts(payment, kind or _KIND_OF[payment.state._value_]), *also]
    writes = [Write(PAYMENTS, payment), *more, *event_writes(view.leaf, view.now_ns, facts)]
    return Outcome(answer, writes, payment.number, statement(payment))


def waiting_on(view: View, payment: Payment, answer: T) -> Outcome[T]:
    """Write that one of two people has approved, and tell the payer's owner alone.

    Shape: for its payee and its device it awaits an answer, as before.
    """
    body = _body(payment) | said_told(payment.answers)
    facts = [Fact(payment.owner, Kind.PAYMENT_FIRST_APPROVAL, payment.id, body)]
    writes = [Write(PAYMENTS, payment), *event_writes(view.leaf, view.now_ns, facts)]
    return Outcome(answer, writes, payment.number, statement(payment))


def _facts(payment: Payment, kind: Kind) -> list[Fact]:
    """Tell each of the two owners once, and nothing that the statement of the same leaf says."""
    payers = payees = {} if told_by_statement(payment) else _body(payment)
    if payment.reason:
        payees = payers | {"reason": _payees_reason(payment)}
    if payment.answers:
        payers = (payers or _body(payment)) | said_told(payment.answers)
    facts = [Fact(payment.owner, kind, payment.id, payers)]
    if payment.payee_owner != payment.owner:
        facts.append(Fact(payment.payee_owner, kind, payment.id, payees))
    return facts


def _body(payment: Payment) -> dict[str, str]:
    body = body_of(
        amount=payment.amount,
        asset=payment.asset,
        captured=payment.captured,
        refunded=payment.refunded,
        state=payment.state,
        reason=payment.reason or None,
        payer=payment.payer,
        payee=payment.payee,
        device=payment.device,
    )
    return body | _fees_told(payment) if payment.fees else body


def told_by_statement(payment: Payment) -> bool:
    """Tell whether a payment's statement says all that its owners are told of it.

    Shape: a reason is stated as a hash only, and what fees take of it is no member of its own.
    """
    return not (payment.reason or payment.fees)


class _Told(msgspec.Struct):
    """What owners are told of a payment, in the order in which they are told it."""

    amount: str
    asset: str
    captured: str
    refunded: str
    state: str
    payer: str
    payee: str
    device: str


_read_told = msgspec.json.Decoder(_Told).decode


def body_stated(statement: bytes) -> dict[str, str]:
    """Read the body of a payment's event out of the statement that says it all."""
    return msgspec.structs.asdict(_read_told(statement))


def _fees_told(payment: Payment) -> dict[str, str]:
    taken, returned = fee_total(read_fees(payment.fees))
    return body_of(fee=taken or None, fee_returned=returned or None)


def require_payment(view: View, ident: str, payee_owner: str | None) -> Payment:
    """Get a payment that this seller may settle; the operator (None) may settle all.

    Raises: Missing.
    """
    payment = view.get(PAYMENTS, ident)
    if payment is None or payee_owner not in (None, payment.payee_owner):
        raise Missing("no-such-payment", "there is no such payment here")
    return payment
