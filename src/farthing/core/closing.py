"""The end of a session: by its payee at once, by its payer after a grace, or by time.

Closing states what is taken; then each deposit is captured or released by a unit of its own, as
each has its own statement and receipt. A crash in between leaves a closed session with deposits
unsettled, and the worker goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from farthing.core.accounts import require_unfrozen
from farthing.core.decisions import Outcome, Plan, View
from farthing.core.events import Kind, event_writes
from farthing.core.facts import state_change
from farthing.core.fee_taking import fee_facts, taken
from farthing.core.fees import Fee, fees_on_shares, read_fees, write_fees
from farthing.core.funding import session_facts
from farthing.core.ledger import TransferFlags, TransferResult
from farthing.core.payments import PAYMENTS, Payment, Place, State, settled
from farthing.core.records import Read, Write
from farthing.core.session_charges import charged_of
from farthing.core.sessions import (
    SESSIONS,
    EndedBy,
    Phase,
    Session,
    current,
    paid_by,
    paid_to,
    session_of,
    session_statement,
)
from farthing.core.settling import capturing_chain, ending_chain, was_made
from farthing.errors import Conflict, Malformed, Missing, ensure, present


@dataclass(frozen=True, slots=True)
class EndSession:
    """Let a payer stop drawing: from now on its payee can only hand in what it has, and close."""

    session: str
    by: str | None
    device: str = ""

    @property
    def reads(self) -> Sequence[Read]:
        """The session."""
        return [Read(SESSIONS, self.session)]

    @property
    def accounts(self) -> Sequence[int]:
        """None: no money moves yet."""
        return ()

    def plan(self, view: View) -> Outcome[Session]:
        """End it now; again is no harm."""
        session = paid_by(view, self.session, self.by)
        if self.device not in ("", session.device):
            raise Missing("no-such-session", "there is no such session here")
        if session.state is Phase.CLOSED or view.now_ns >= session.ends_ns:
            return Outcome(session)
        ended = msgspec.structs.replace(
            session,
            ends_ns=view.now_ns,
            closes_ns=view.now_ns + session.closes_ns - session.ends_ns,
            ended_by=EndedBy.PAYER,
            changed_ns=view.now_ns,
        )
        facts = session_facts(ended, Kind.SESSION_ENDED)
        return state_change(view, ended, facts, [Write(SESSIONS, ended)])


@dataclass(frozen=True, slots=True)
class CloseSession:
    """Close a session, and take what its highest voucher promises, or `units` of it.

    Shape: `by` is its payee's owner, or None for the operator; `due` closes it only when its time
           and grace are over. Where requests were charged one by one, what they came to is taken
           unless `units` say otherwise.
    """

    session: str
    by: str | None
    units: int | None = None
    due: bool = False

    @property
    def reads(self) -> Sequence[Read]:
        """The session."""
        return [Read(SESSIONS, self.session)]

    @property
    def accounts(self) -> Sequence[int]:
        """None: its deposits are settled by units of their own."""
        return ()

    def plan(self, view: View) -> Outcome[Session]:
        """Close it once; again with the same amount is no harm."""
        session = paid_to(view, self.session, self.by)
        units = charged_of(view, session) if self.units is None else self.units
        if session.state is Phase.CLOSED:
            if self.units in (None, session.captured):
                return Outcome(session)
            raise Conflict("session-closed", "it was closed otherwise", **current(session))
        if self.due and view.now_ns < session.closes_ns:
            return Outcome(session)
        if not 0 <= units <= session.units:
            raise Malformed("capture-too-large", f"{session.units} units were promised")
        closed = msgspec.structs.replace(
            session,
            state=Phase.CLOSED,
            captured=units,
            unsettled=len(session.deposits),
            ended_by=self._ended_by(session),
            changed_ns=view.now_ns,
            leaf=view.leaf,
        )
        facts = session_facts(closed, Kind.SESSION_CLOSED)
        writes = [Write(SESSIONS, closed), *event_writes(view.leaf, view.now_ns, facts)]
        return Outcome(closed, writes, closed.number, session_statement(closed))

    def _ended_by(self, session: Session) -> EndedBy:
        if session.ended_by is not EndedBy.NOBODY:
            return session.ended_by
        if self.due:
            return EndedBy.TIME
        return EndedBy.OPERATOR if self.by is None else EndedBy.PAYEE


@dataclass(frozen=True, slots=True)
class SettleDeposit:
    """Capture a deposit's share of what a closed session took, or release it."""

    payment: str

    @property
    def reads(self) -> Sequence[Read]:
        """The payment."""
        return [Read(PAYMENTS, self.payment)]

    @property
    def accounts(self) -> Sequence[int]:
        """None ahead."""
        return ()

    def plan(self, view: View) -> Plan[Payment] | Outcome[Payment]:
        """Settle it once; again is no harm."""
        payment = present(view.get(PAYMENTS, self.payment), "a deposit is kept")
        session = present(view.get(SESSIONS, session_of(payment)), "a deposit has a session")
        if payment.state is not State.HELD or session.state is not Phase.CLOSED:
            return Outcome(payment)
        share = share_of(view, session, payment)
        if share:
            require_unfrozen(view, payment.payer, payment.payee)
        fees = fees_of_share(view, session, payment) if share else ()
        if share:
            chain = capturing_chain(payment, share, fees)
        else:
            chain = ending_chain(payment, TransferFlags.VOID_PENDING, Place.VOID, 0)

        def then(results: list[list[TransferResult]]) -> Outcome[Payment]:
            ensure(was_made(results[0]), "a deposit ends by its session alone")
            done = msgspec.structs.replace(
                payment,
                state=State.CAPTURED if share else State.VOIDED,
                reason="" if share else "session-closed",
                captured=share,
                changed_ns=view.now_ns,
                leaf=view.leaf,
                fees=write_fees(fees) if fees else payment.fees,
            )
            left = msgspec.structs.replace(session, unsettled=session.unsettled - 1)
            return settled(view, done, done, Write(SESSIONS, left), also=fee_facts(done, fees))

        return Plan(then, chains=[chain])


def share_of(view: View, session: Session, payment: Payment) -> int:
    """Tell how much of what a session took comes out of a deposit: the first are used first."""
    return shares(session, deposits_of(view, session))[session.deposits.index(payment.id)]


def shares(session: Session, deposits: Sequence[Payment]) -> list[int]:
    """Tell how much of what a session took comes out of each deposit."""
    left, found = session.captured, list[int]()
    for deposit in deposits:
        found.append(min(left, deposit.amount))
        left -= found[-1]
    return found


def deposits_of(view: View, session: Session) -> list[Payment]:
    """Get a session's deposits, the opening one first."""
    found = (view.get(PAYMENTS, ident) for ident in session.deposits)
    return [present(deposit, "a session's deposits are kept") for deposit in found]


def fees_of_share(view: View, session: Session, payment: Payment) -> Sequence[Fee]:
    """Say what the fees that were agreed at a session's opening take of one deposit's share."""
    deposits = deposits_of(view, session)
    fees = read_fees(deposits[0].fees)
    if not fees:
        return ()
    due = fees_on_shares(fees, shares(session, deposits))
    return taken(view, fees, due[session.deposits.index(payment.id)])
