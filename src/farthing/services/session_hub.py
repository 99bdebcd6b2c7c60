"""The hub as who meters sees it: sessions looked up, vouchers handed in, sessions closed."""

from collections.abc import Sequence
from typing import Protocol

from farthing.core.meters import SeenSession
from farthing.core.orders import SignedOrder
from farthing.core.payments import Payment
from farthing.core.sessions import TARIFFS, Phase, Session, session_of, session_topped_up
from farthing.core.tariffs import Tariff
from farthing.errors import FarthingError, Malformed, present
from farthing.services.context import Context
from farthing.services.proving import Presented
from farthing.services.sessions import Sessions, require_funded
from farthing.store.queries import one

HANDED_AT_ONCE = 1000


class SessionHub(Protocol):
    """What a meter asks of the hub. Every verb is safe to repeat."""

    async def look_up(self, session: str) -> SeenSession:
        """Get a session that is paid to us.

        Raises: Missing; Unavailable, OutcomeUnknown.
        """
        ...

    async def open(
        self, signed: SignedOrder, tariff: Tariff, offer: str = "", place: str = ""
    ) -> SeenSession:
        """Bring an order that opens a session, for an offer in the hub where it has one.

        Shape:  `place` is the network that the order came from, to be judged by and kept nowhere.
        Raises: PaymentRefused with the hub's reason; Conflict `awaiting-owner`; FarthingError.
        """
        ...

    async def top_up(self, session: str, signed: SignedOrder, place: str = "") -> SeenSession:
        """Bring an order that adds to a session's deposit; it raises what `open` does."""
        ...

    async def hand_in(
        self, vouchers: Sequence[Presented], *, late: bool = False
    ) -> list[int | FarthingError]:
        """Hand vouchers in; give what is promised then in each session, or why it was refused.

        Shape:  `late` is for what was accepted before the session's end.
        Raises: Unavailable, OutcomeUnknown for all of them.
        """
        ...

    async def close(self, session: str, units: int) -> SeenSession:
        """Close a session and take `units` of what is promised."""
        ...


class EmbeddedSessions:
    """The sessions of a hub in the same process. `by` is the payee's owner."""

    def __init__(self, sessions: Sessions, ctx: Context, by: str | None = None) -> None:
        self._sessions, self._ctx, self._by = sessions, ctx, by

    async def look_up(self, session: str) -> SeenSession:
        """Get a session."""
        return await self._seen(await self._sessions.find(session))

    async def open(
        self, signed: SignedOrder, tariff: Tariff, offer: str = "", place: str = ""
    ) -> SeenSession:
        """Open a session."""
        done = await self._sessions.open(signed, tariff, offer=offer, place=place)
        return await self._funded(done.answer.payment)

    async def top_up(self, session: str, signed: SignedOrder, place: str = "") -> SeenSession:
        """Add to a session's deposit."""
        if session_topped_up(signed.order.resource) != session:
            raise Malformed("malformed-session", "the order tops up another session")
        done = await self._sessions.top_up(signed, place=place)
        return await self._funded(done.answer.payment)

    async def hand_in(
        self, vouchers: Sequence[Presented], *, late: bool = False
    ) -> list[int | FarthingError]:
        """Hand vouchers in."""
        drawn = await self._sessions.draw_many(vouchers, self._by, late=late)
        return [each if isinstance(each, FarthingError) else each.units for each in drawn]

    async def close(self, session: str, units: int) -> SeenSession:
        """Close a session."""
        return await self._seen(await self._sessions.close(session, self._by, units))

    async def _funded(self, payment: Payment) -> SeenSession:
        require_funded(payment)
        return await self.look_up(session_of(payment))

    async def _seen(self, session: Session) -> SeenSession:
        kept = await self._ctx.database.read(lambda tx: one(tx, TARIFFS, session.tariff))
        tariff = present(kept, "a session's tariff is kept")
        return SeenSession(
            session=session.id,
            closed=session.state is Phase.CLOSED,
            device=session.device,
            payee=session.payee,
            asset=session.asset,
            key=session.key,
            tariff=tariff.text,
            purpose=session.purpose,
            deposit=session.deposit,
            promised=session.units,
            sequence=session.sequence,
            captured=session.captured,
            ends_ns=session.ends_ns,
            closes_ns=session.closes_ns,
        )
