"""Charging a session request by request, at the hub: what x402 calls `batch-settlement`.

A voucher says how much is promised in all; what a request came to is charged of that afterwards.
Each voucher pays for one request: its sequence number is taken once. The most that a request may
cost is set aside until it is charged or its time is over, so that one promise never serves two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from farthing.clock import NS
from farthing.core.decisions import Outcome, View
from farthing.core.drawing import Draw
from farthing.core.records import Read, Table, Write
from farthing.core.sessions import SESSIONS, Phase, Session, current, paid_to
from farthing.core.tariffs import Tariff, flat_rate
from farthing.errors import Conflict, Malformed, PaymentRefused

ASIDE_MAX = 64
"""How many requests of one session may be under way at once."""


class Aside(msgspec.Struct, frozen=True):
    """What is set aside for one request. Units: smallest units; ns. Shape: by its voucher."""

    sequence: int
    units: int
    ends_ns: int


class Charges(msgspec.Struct, frozen=True, kw_only=True):
    """What a payee has charged of one session.

    Units: `charged` counts smallest units.
    Shape: `sequence` is the highest that was taken; `aside` has the requests under way.
    """

    session: str
    charged: int
    sequence: int
    aside: list[Aside]

    def set_aside(self, now_ns: int) -> int:
        """Tell how much is set aside now."""
        return sum(each.units for each in self.aside if now_ns < each.ends_ns)


CHARGES = Table("session_charges", Charges, "session")


class Charged(msgspec.Struct, frozen=True):
    """A session, and how far it is charged. Units: `units` is what this request came to."""

    session: Session
    charges: Charges
    units: int


def unit_tariff(asset: str) -> Tariff:
    """Give the tariff of sessions that are charged in money alone: each unit counted costs one."""
    return flat_rate(asset, "unit", 1)


def charged_of(view: View, session: Session) -> int:
    """Tell what a session's end takes by itself: what is promised, or what was charged of it."""
    charges = view.get(CHARGES, session.id)
    return session.units if charges is None else min(charges.charged, session.units)


@dataclass(frozen=True, slots=True)
class SetAside:
    """Accept a voucher for one request, and set aside the most that it may cost.

    Units:  `most` is smallest units, for `seconds`.
    Shape:  `voucher` has a signature that was checked; its `by` is the payee's owner. `wanted` is
            what the session must have been opened for: payee, asset, tariff and purpose.
    """

    voucher: Draw
    wanted: tuple[str, str, bytes, str]
    most: int
    seconds: int

    @property
    def reads(self) -> Sequence[Read]:
        """The session and its charges."""
        session = self.voucher.session
        return [Read(SESSIONS, session), Read(CHARGES, session)]

    @property
    def accounts(self) -> Sequence[int]:
        """None: no money moves before the session is closed."""
        return ()

    def plan(self, view: View) -> Outcome[Charged]:
        """Take the voucher's number, once.

        Raises: Conflict `voucher-used`, `voucher-superseded`, `session-closed`;
                PaymentRefused `voucher-needed`, `wrong-session`, or why nothing new is drawn.
        """
        session = paid_to(view, self.voucher.session, self.voucher.by)
        self._check_wanted(session)
        before = _charges(view, session)
        if self.voucher.promise.claims.sequence <= before.sequence:
            detail = "each voucher pays for one request; sign one with a higher sequence"
            raise Conflict("voucher-used", detail, **_state(session, before, view.now_ns))
        drawn = self.voucher.plan(view)
        self.voucher.check_running(view, session)
        needed = before.charged + before.set_aside(view.now_ns) + self.most
        if needed > drawn.answer.units:
            detail = f"promise {needed} units in all; {drawn.answer.units} are promised"
            state = _state(drawn.answer, before, view.now_ns)
            raise PaymentRefused("voucher-needed", detail, needed=str(needed), **state)
        charges = self._with_one_more(before, view.now_ns)
        writes = [*drawn.writes, Write(CHARGES, charges)]
        return Outcome(Charged(drawn.answer, charges, 0), writes)

    def _check_wanted(self, session: Session) -> None:
        if (session.payee, session.asset, session.tariff, session.purpose) != self.wanted:
            raise PaymentRefused("wrong-session", "this session was opened for something else")

    def _with_one_more(self, before: Charges, now_ns: int) -> Charges:
        kept = before.aside
        if len(kept) >= ASIDE_MAX:
            kept = [each for each in kept if now_ns < each.ends_ns]
        if len(kept) >= ASIDE_MAX:
            detail = f"{ASIDE_MAX} requests of this session are under way"
            raise Conflict("session-in-use", detail)
        sequence = self.voucher.promise.claims.sequence
        one = Aside(sequence, self.most, now_ns + self.seconds * NS)
        return msgspec.structs.replace(before, sequence=sequence, aside=[*kept, one])


@dataclass(frozen=True, slots=True)
class Charge:
    """Charge what a request came to, once: `units` of what was set aside for it.

    Shape: `voucher` sets the most aside first where that was not done before.
    """

    voucher: SetAside
    units: int

    @property
    def reads(self) -> Sequence[Read]:
        """The session and its charges."""
        return self.voucher.reads

    @property
    def accounts(self) -> Sequence[int]:
        """None: no money moves before the session is closed."""
        return ()

    def plan(self, view: View) -> Outcome[Charged]:
        """Charge it now, unless it was charged before.

        Raises: Conflict `duplicate-settlement`, `session-closed`; PaymentRefused as `SetAside`.
        """
        draw = self.voucher.voucher
        session, sequence = paid_to(view, draw.session, draw.by), draw.promise.claims.sequence
        charges, writes = _charges(view, session), []
        if sequence > charges.sequence:
            set_aside = self.voucher.plan(view)
            session, charges = set_aside.answer.session, set_aside.answer.charges
            writes = [w for w in set_aside.writes if w.table is not CHARGES]
        if session.state is Phase.CLOSED:
            raise Conflict("session-closed", "this session is closed", **current(session))
        mine = [each for each in charges.aside if each.sequence == sequence]
        if not mine:
            raise Conflict("duplicate-settlement", "this request was charged before")
        if self.units > mine[0].units:
            raise Malformed("capture-too-large", f"{mine[0].units} units were set aside")
        rest = [each for each in charges.aside if each.sequence != sequence]
        left = msgspec.structs.replace(charges, aside=rest)
        # What was set aside for longer than it was to be may serve another request by now.
        needed = left.charged + left.set_aside(view.now_ns) + self.units
        if needed > session.units:
            raise PaymentRefused("charged-too-late", "its time is over; what was promised is used")
        charged = msgspec.structs.replace(left, charged=left.charged + self.units)
        done = Charged(session, charged, self.units)
        return Outcome(done, [*writes, Write(CHARGES, charged)])


def _charges(view: View, session: Session) -> Charges:
    """Give a session's charges. Shape: what was promised before the first is none of them."""
    found = view.get(CHARGES, session.id)
    if found is not None:
        return found
    return Charges(session=session.id, charged=session.units, sequence=session.sequence, aside=[])


def _state(session: Session, charges: Charges, now_ns: int) -> dict[str, Any]:
    told = {"charged": str(charges.charged), "set_aside": str(charges.set_aside(now_ns))}
    return current(session) | told
