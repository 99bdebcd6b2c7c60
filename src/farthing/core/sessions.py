"""Sessions: a deposit held once, drawn by vouchers of which the highest counts, closed once.

A session is what the hold of a signed order turns into when its resource says so: the order's
payment is the deposit, the session's id is the payment's under another prefix, and further
deposits are payments of their own. Until a session is closed nothing is captured; then what was
promised by the highest voucher is, and the rest is released.
"""

import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from farthing import ids
from farthing.codec import canonical_json, from_base64url, to_base64url
from farthing.core.decisions import Outcome, View
from farthing.core.orders import Order, payment_id
from farthing.core.payments import MONEY, Payment
from farthing.core.records import Read, Table, Write
from farthing.core.tariffs import Tariff
from farthing.core.vouchers import Agreed, session_alias
from farthing.errors import Malformed, Missing, PaymentRefused
from farthing.money import parse_units

LIFETIME_SECONDS_MAX = 366 * 86400
GRACE_SECONDS = 3600
GRACE_SECONDS_MAX = 7 * 86400
DEPOSITS_MAX = 15

_OPENS, _TOPS_UP = "SESSION ", "TOPUP "
_OPENING = re.compile(r"SESSION ([\w-]{43}) ([0-9]{1,8}) ([0-9]{1,6}) (.*)", re.ASCII)
_TOPPING_UP = re.compile(r"TOPUP (ses_[0-9a-z]{26})", re.ASCII)


class Phase(StrEnum):
    """Where a session stands. An open one can be drawn, or handed in when its time is over."""

    OPEN = "open"
    CLOSED = "closed"


class EndedBy(StrEnum):
    """Who or what ended a session."""

    NOBODY = ""
    PAYER = "payer"
    PAYEE = "payee"
    OPERATOR = "operator"
    TIME = "time"


class Opening(NamedTuple):
    """What an order that opens a session says of it.

    Units: `lifetime_seconds` is how long it may be drawn, `grace_seconds` how long its payee may
           then still hand in what it had accepted.
    Shape: `tariff` is the SHA-256 of the tariff's canonical JSON; `purpose` says what is bought.
    """

    tariff: bytes
    lifetime_seconds: int
    grace_seconds: int
    purpose: str

    def resource(self) -> str:
        """Write it as an order's resource."""
        times = f"{self.lifetime_seconds} {self.grace_seconds}"
        return f"{_OPENS}{to_base64url(self.tariff)} {times} {self.purpose}"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A deposit that vouchers draw.

    Units: `deposit` is all that is held, `units` all that is promised, `captured` what was taken
           at the end: smallest units. Times are ns.
    Shape: `deposits` are the payments that hold its money, the opening one first; `voucher` is the
           highest one accepted here, `ticks` and `tick` the count and the value of the highest
           tick of its ladder: the anchor at 0, nothing without a ladder; `tariff` names the tariff
           by its hash; `unsettled` counts deposits of a closed session that are still held; `leaf`
           is its own newest statement's, 0 before there is one.
    """

    id: str
    state: Phase
    owner: str
    payer: str
    device: str
    payee_owner: str
    payee: str
    asset: str
    alias: bytes
    tariff: bytes
    key: str
    purpose: str
    deposit: int
    deposits: list[str]
    units: int
    sequence: int
    voucher: bytes
    captured: int
    unsettled: int
    ended_by: EndedBy
    ends_ns: int
    closes_ns: int
    created_ns: int
    changed_ns: int
    leaf: int
    ticks: int = 0
    tick: bytes = b""

    @property
    def number(self) -> int:
        """The 128-bit id; that of its opening payment."""
        return ids.number("ses", self.id)

    @property
    def agreed(self) -> Agreed:
        """What its vouchers sign along."""
        return Agreed(self.id, self.payee, self.asset, self.tariff)


class Alias(msgspec.Struct, frozen=True):
    """Which session a payee's vouchers mean by eight bytes."""

    key: bytes
    session: str


class TariffText(msgspec.Struct, frozen=True):
    """A tariff as it was agreed, by its hash."""

    digest: bytes
    text: str


SESSIONS = Table("sessions", Session, "id")
ALIASES = Table("session_aliases", Alias, "key", passing=True)
TARIFFS = Table("tariffs", TariffText, "digest")


class KeepTariff(NamedTuple):
    """Remember a tariff's text under its hash; orders and vouchers carry the hash alone."""

    tariff: Tariff
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[None]:
        """Keep it once."""
        digest = self.tariff.digest()
        if view.get(TARIFFS, digest) is not None:
            return Outcome(None)
        text = TariffText(digest, self.tariff.written().decode())
        return Outcome(None, [Write(TARIFFS, text)])


def is_deposit(resource: str) -> bool:
    """Tell whether an order's resource makes its money a session's deposit, and nothing else."""
    return resource.startswith((_OPENS, _TOPS_UP))


def opening_of(resource: str) -> Opening | None:
    """Read what an opening order says of its session; None if it tops one up.

    Raises: Malformed `malformed-session`.
    """
    if resource.startswith(_TOPS_UP):
        return None
    read = _OPENING.fullmatch(resource)
    if read is None:
        raise Malformed("malformed-session", "write SESSION tariff lifetime grace purpose")
    opening = Opening(from_base64url(read[1]), parse_units(read[2]), parse_units(read[3]), read[4])
    if not 0 < opening.lifetime_seconds <= LIFETIME_SECONDS_MAX:
        raise Malformed("malformed-session", f"a session lasts 1 to {LIFETIME_SECONDS_MAX} seconds")
    if opening.grace_seconds > GRACE_SECONDS_MAX:
        raise Malformed("malformed-session", f"grace is {GRACE_SECONDS_MAX} seconds at most")
    return opening


def top_up_resource(session: str) -> str:
    """Write the resource of an order that adds to a session's deposit."""
    return f"{_TOPS_UP}{session}"


def session_topped_up(resource: str) -> str:
    """Read which session an order tops up.

    Raises: Malformed `malformed-session`.
    """
    read = _TOPPING_UP.fullmatch(resource)
    if read is None:
        raise Malformed("malformed-session", "write TOPUP and the session's id")
    return read[1]


def session_of(payment: Payment) -> str:
    """Give the id of the session that a deposit belongs to."""
    return _session_of(payment.resource, payment.number)


def session_ordered(order: Order) -> str:
    """Give the id of the session that an order opens or tops up; nothing need be known of it."""
    return _session_of(order.resource, payment_id(order))


def _session_of(resource: str, payment: int) -> str:
    if resource.startswith(_TOPS_UP):
        return session_topped_up(resource)
    return ids.name("ses", payment)


def require_deposit(order: Order, held: int, units: int) -> None:
    """Refuse a voucher beside a deposit that would not cover it, before anything is held.

    Units:  `held` is what its session has already, 0 where it is to be opened.
    Raises: PaymentRefused `voucher-beyond-deposit`.
    """
    deposit = held + order.amount
    if units <= deposit:
        return
    detail = f"the deposit would be {deposit} units, {units} are promised; nothing more is held"
    state = {"session": session_ordered(order), "deposit": str(held)}
    raise PaymentRefused("voucher-beyond-deposit", detail, **state)


def alias_key(payee: str, alias: bytes) -> bytes:
    """Give the key under which a payee's alias is found."""
    return ids.number("acc", payee).to_bytes(16, "big") + alias


def alias_of(session: str) -> bytes:
    """Give a session's alias."""
    return session_alias(ids.number("ses", session))


def paid_by(view: View, ident: str, owner: str | None) -> Session:
    """Get a session that this owner pays; the operator (None) may act for all.

    Raises: Missing.
    """
    return _of(owner, lambda session: session.owner, view, ident)


def paid_to(view: View, ident: str, owner: str | None) -> Session:
    """Get a session that this owner is paid by; the operator (None) may act for all.

    Raises: Missing.
    """
    return _of(owner, lambda session: session.payee_owner, view, ident)


def _of(owner: str | None, side: Callable[[Session], str], view: View, ident: str) -> Session:
    session = view.get(SESSIONS, ident)
    if session is None or owner not in (None, side(session)):
        raise Missing("no-such-session", "there is no such session here")
    return session


def session_statement(session: Session) -> bytes:
    """State a closed session for the history: ids, amounts and hashes, no names."""
    return canonical_json(
        _ticks_stated(session)
        | {
            "asset": session.asset,
            "captured": str(session.captured),
            "deposit": str(session.deposit),
            "device": session.device,
            "ended_by": session.ended_by.value,
            "kind": "session",
            "money": MONEY,
            "payee": session.payee,
            "payer": session.payer,
            "promised": str(session.units),
            "sequence": str(session.sequence),
            "session": session.id,
            "state": session.state.value,
            "tariff": to_base64url(session.tariff),
        }
    )


def _ticks_stated(session: Session) -> dict[str, str]:
    """State how far ticks have gone on from the voucher, where they have."""
    if not session.tick:
        return {}
    return {"tick": to_base64url(session.tick), "ticks": str(session.ticks)}


def current(session: Session) -> dict[str, Any]:
    """Give what a client needs to go on: said with every refusal of a voucher."""
    return {
        "session": session.id,
        "state": session.state.value,
        "deposit": str(session.deposit),
        "promised": str(session.units),
        "sequence": str(session.sequence),
        "ticks": str(session.ticks),
    }
