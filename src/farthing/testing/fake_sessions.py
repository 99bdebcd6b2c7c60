"""A strict hub of sessions in memory, for the tests of whatever meters: real signatures and rules.

It draws and closes as the hub does, can revoke, and can be told to be down or to lose its replies.
"""

from collections.abc import Sequence

import msgspec

from farthing.clock import NS, Clock
from farthing.core.meters import SeenSession
from farthing.core.orders import SignedOrder, payment_id
from farthing.core.promises import promised_by, ticked
from farthing.core.sessions import alias_of, opening_of, session_ordered, session_topped_up
from farthing.core.tariffs import Tariff
from farthing.core.ticks import read_tick
from farthing.core.vouchers import Agreed, Voucher, read_voucher
from farthing.errors import (
    Conflict,
    FarthingError,
    Malformed,
    Missing,
    PaymentRefused,
    Unauthenticated,
)
from farthing.keys import verify
from farthing.services.proving import Presented
from farthing.testing.bad_line import BadLine


class FakeSessions(BadLine):
    """The sessions of a test. Shape: `devices` maps ids to public keys; every deposit is held."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.devices: dict[str, str] = {}
        self.sessions: dict[str, SeenSession] = {}
        self.revoked_ns: dict[str, int] = {}
        self.calls: list[str] = []
        self._digests: dict[str, bytes] = {}
        self._deposits: set[int] = set()

    def revoke(self, device: str) -> None:
        """Let nothing new be drawn by a device from now on."""
        self.revoked_ns.setdefault(device, self.clock())

    def end(self, session: str) -> None:
        """Let its payer end a session: nothing new is drawn from now on."""
        before = self._found(session)
        grace_ns = before.closes_ns - before.ends_ns
        self._put(before, ends_ns=self.clock(), closes_ns=self.clock() + grace_ns)

    async def look_up(self, session: str) -> SeenSession:
        """Get a session."""
        self._called("look_up")
        return self._answer(self._found(session))

    async def open(
        self,
        signed: SignedOrder,
        tariff: Tariff,
        offer: str = "",  # noqa: ARG002 - as every hub is asked
        place: str = "",  # noqa: ARG002 - as every hub is asked
    ) -> SeenSession:
        """Open a session, once an order; no offers are kept here, so none has a fee."""
        self._called("open")
        order, opening = signed.order, opening_of(signed.order.resource)
        self._check_proof(signed)
        if opening is None or opening.tariff != tariff.digest():
            raise Malformed("tariff-mismatch", "the order was signed for another tariff")
        session = session_ordered(order)
        ends_ns = self.clock() + opening.lifetime_seconds * NS
        made = SeenSession(
            session=session,
            closed=False,
            device=order.device,
            payee=order.payee,
            asset=order.asset,
            key=self.devices[order.device],
            tariff=tariff.written().decode(),
            purpose=opening.purpose,
            deposit=order.amount,
            promised=0,
            sequence=0,
            captured=0,
            ends_ns=ends_ns,
            closes_ns=ends_ns + opening.grace_seconds * NS,
        )
        self._digests[session] = opening.tariff
        return self._answer(self.sessions.setdefault(session, made))

    async def top_up(
        self,
        session: str,
        signed: SignedOrder,
        place: str = "",  # noqa: ARG002 - as every hub is asked
    ) -> SeenSession:
        """Add to a session's deposit."""
        self._called("top_up")
        self._check_proof(signed)
        before = self._found(session)
        if session_topped_up(signed.order.resource) != session:
            raise Malformed("malformed-session", "the order tops up another session")
        payment = payment_id(signed.order)
        added = 0 if payment in self._deposits else signed.order.amount
        self._deposits.add(payment)
        return self._answer(self._put(before, deposit=before.deposit + added))

    async def hand_in(
        self, vouchers: Sequence[Presented], *, late: bool = False
    ) -> list[int | FarthingError]:
        """Draw by vouchers."""
        self._called("hand_in")
        found: list[int | FarthingError] = []
        for each in vouchers:
            try:
                found.append(self._draw(each, late=late))
            except FarthingError as problem:
                found.append(problem)
        return self._answer(found)

    async def close(self, session: str, units: int) -> SeenSession:
        """Close a session, once."""
        self._called("close")
        before = self._found(session)
        if before.closed and before.captured != units:
            raise Conflict("session-closed", "it was closed otherwise")
        if not 0 <= units <= before.promised:
            raise Malformed("capture-too-large", f"{before.promised} units were promised")
        return self._answer(self._put(before, closed=True, captured=units))

    def _draw(self, each: Presented, *, late: bool) -> int:
        session = self.sessions.get(each.session)
        if session is None or (voucher := self._holding(each, session)) is None:
            raise Unauthenticated("bad-voucher", "no session here is drawn by this signature")
        if session.closed:
            raise Conflict("session-closed", "this session is closed")
        promise = promised_by(voucher.claims, each.raw)
        units = (ticked(promise, read_tick(each.tick)) if each.tick else promise).units
        if units < session.promised:
            raise Conflict("voucher-superseded", "", promised=str(session.promised))
        if units > session.promised:
            self._check_times(session, voucher, late=late)
            if units > session.deposit:
                raise PaymentRefused("voucher-beyond-deposit", "top it up")
            self._put(session, promised=units)
        return units

    def _holding(self, each: Presented, session: SeenSession) -> Voucher | None:
        voucher = read_voucher(each.raw)
        agreed = Agreed(
            session.session, session.payee, session.asset, self._digests[session.session]
        )
        holds = verify(session.key, voucher.signature, voucher.signed_bytes(agreed))
        return voucher if holds and voucher.claims.alias == alias_of(session.session) else None

    def _check_times(self, session: SeenSession, voucher: Voucher, *, late: bool) -> None:
        grace_ns = session.closes_ns - session.ends_ns if late else 0
        now_ns = self.clock() - grace_ns
        if now_ns >= session.ends_ns:
            raise PaymentRefused("session-over", "its time is over")
        if now_ns >= voucher.claims.expiry * NS:
            raise PaymentRefused("voucher-expired", "sign a new one")
        if now_ns >= self.revoked_ns.get(session.device, 2**63):
            raise PaymentRefused("session-revoked", "the owner has ended it")

    def _check_proof(self, signed: SignedOrder) -> None:
        public = self.devices.get(signed.order.device, "")
        if not public or not verify(public, signed.signature, signed.order.signed_bytes()):
            raise Unauthenticated("bad-signature", "the order is not signed by its device")

    def _put(self, before: SeenSession, **changes: object) -> SeenSession:
        after = msgspec.structs.replace(before, **changes)
        self.sessions[after.session] = after
        return after

    def _found(self, session: str) -> SeenSession:
        if session not in self.sessions:
            raise Missing("no-such-session", "there is no such session here")
        return self.sessions[session]

    def _called(self, verb: str) -> None:
        self.calls.append(verb)
        self._begin()
