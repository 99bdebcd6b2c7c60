"""Drawing a session: the highest valid promise counts, an equal one is a yes, a lower one a no."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from farthing.clock import NS
from farthing.core.accounts import ACCOUNTS
from farthing.core.decisions import Outcome, View
from farthing.core.devices import DEVICES
from farthing.core.mandates import MANDATES
from farthing.core.payments import NEVER_NS
from farthing.core.promises import Promise, is_ahead
from farthing.core.records import Read, Write
from farthing.core.sessions import SESSIONS, Phase, Session, current, paid_to
from farthing.errors import Conflict, PaymentRefused, present


@dataclass(frozen=True, slots=True)
class Draw:
    """Accept a promise: its voucher's signature and its ticks were checked.

    Shape: `by` is the payee's owner, or None for whoever carries it; `late` is true where the
           payee hands in what it had accepted before, which it may until the grace is over.
    """

    session: str
    promise: Promise
    by: str | None
    late: bool = False

    @property
    def reads(self) -> Sequence[Read]:
        """The session; its device and mandate are remembered."""
        return [Read(SESSIONS, self.session)]

    @property
    def accounts(self) -> Sequence[int]:
        """None: no money moves before the session is closed."""
        return ()

    def plan(self, view: View) -> Outcome[Session]:
        """Count what is promised now, unless it was counted before."""
        session = paid_to(view, self.session, self.by)
        promise, units = self.promise, self.promise.units
        if session.state is Phase.CLOSED:
            raise Conflict("session-closed", "this session is closed", **current(session))
        if session.voucher and not is_ahead(promise, session.units, session.sequence):
            if units == session.units:
                return Outcome(session)
            detail = f"{session.units} units were promised already"
            raise Conflict("voucher-superseded", detail, **current(session))
        self.check_running(view, session)
        if units > session.deposit:
            detail = f"the deposit is {session.deposit} units; top it up"
            raise PaymentRefused("voucher-beyond-deposit", detail, **current(session))
        drawn = msgspec.structs.replace(
            session,
            units=units,
            sequence=max(session.sequence, promise.claims.sequence),
            voucher=promise.raw,
            ticks=promise.ticks,
            tick=promise.value,
            changed_ns=view.now_ns,
        )
        return Outcome(drawn, [Write(SESSIONS, drawn)])

    def check_running(self, view: View, session: Session) -> None:
        """Refuse what comes after a session's time, or after its owner has stopped it.

        Raises: PaymentRefused.
        """
        self._check_times(view, session)
        self._check_revoked(view, session)

    def _check_times(self, view: View, session: Session) -> None:
        grace_ns = session.closes_ns - session.ends_ns if self.late else 0
        expiry_ns = self.promise.claims.expiry * NS
        if view.now_ns >= session.ends_ns + grace_ns:
            raise PaymentRefused("session-over", "its time is over", **current(session))
        if view.now_ns >= expiry_ns + grace_ns:
            raise PaymentRefused("voucher-expired", "sign a new one", **current(session))

    def _check_revoked(self, view: View, session: Session) -> None:
        """Let nothing new be drawn once the owner has taken the device's permission away."""
        device = present(view.get(DEVICES, session.device), "a device is kept for good")
        mandate = present(view.get(MANDATES, device.mandate), "a device always has a mandate")
        since_ns = min(ns for ns in (device.revoked_ns, mandate.revoked_ns, NEVER_NS) if ns)
        grace_ns = session.closes_ns - session.ends_ns if self.late else 0
        if view.now_ns >= since_ns + grace_ns:
            raise PaymentRefused("session-revoked", "the owner has ended it", **current(session))
        payer = present(view.get(ACCOUNTS, session.payer), "an account is kept for good")
        if payer.state != "open" and not self.late:
            raise PaymentRefused("account-frozen", "the paying account is frozen")
