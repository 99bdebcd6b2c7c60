"""Proving promises: a voucher by its signature, a tick by the ladder that a voucher commits to.

What was proved stays true, so it is remembered: the next tick is then one hash away, and not as
many as it counts. What is remembered is never taken for how a session stands; the books tell that.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from farthing.core.orders import SignedOrder
from farthing.core.promises import REACH, Promise, bad_tick, promised_by, ticked
from farthing.core.sessions import SESSIONS, Session, alias_of, opening_of, session_ordered
from farthing.core.ticks import LADDER_TICKS_MAX, Tick, read_tick
from farthing.core.vouchers import Agreed, Voucher, read_voucher
from farthing.errors import FarthingError, Unauthenticated, present
from farthing.keys import Ed25519Signer
from farthing.services.context import Context
from farthing.services.turns import Turns
from farthing.services.verifying import Claim, Verifier
from farthing.store.queries import one

T = TypeVar("T")

_KEPT = 20_000
_AT_ONCE, _WAITING_MAX = 1, 2_000
_TOGETHER = 128
"""So many vouchers of one request wait at once: both threads are fed, and others have room."""

_SHORT_STEPS = 64
"""So many hash steps take less time than handing them to a thread."""


class Presented(NamedTuple):
    """What somebody presents for a session: a voucher, a tick, or a tick with its voucher."""

    session: str
    raw: bytes = b""
    tick: bytes = b""


class Drawable(NamedTuple):
    """What never changes of a session, and is needed to check its vouchers."""

    key: str
    alias: bytes
    agreed: Agreed


class Reading(NamedTuple):
    """A voucher that was read and is not proved yet, with what its session is known by."""

    session: str
    raw: bytes
    voucher: Voucher
    drawable: Drawable
    was_kept: bool

    def claim(self) -> Claim:
        """Give what is to be verified."""
        drawable, voucher = self.drawable, self.voucher
        return (drawable.key,), voucher.signature, voucher.signed_bytes(drawable.agreed)

    def holds(self, key: str) -> bool:
        """Tell whether it is this session's, once the key that made its signature is known."""
        alias, algorithm = self.voucher.claims.alias, self.drawable.key.partition(":")[0]
        return bool(key) and self.voucher.is_for(algorithm) and alias == self.drawable.alias


class Steps:
    """How many hash steps one request may still ask for."""

    def __init__(self, left: int = LADDER_TICKS_MAX) -> None:
        self.left = left


class Proofs:
    """Checks what is presented, in bounded memory and with bounded work."""

    def __init__(self, ctx: Context, verifier: Verifier) -> None:
        self._ctx, self._verifier = ctx, verifier
        self._kept: dict[str, Drawable] = {}
        self._known: dict[str, Promise] = {}
        self._turns = Turns(_AT_ONCE, _WAITING_MAX, "ticks")
        seed = ctx.random_bits(256).to_bytes(32, "big")
        self._nobodys = Drawable(
            Ed25519Signer(seed).public, bytes(8), Agreed("", "", "", bytes(32))
        )

    async def promise(self, item: Presented, bearer: str, steps: Steps) -> Promise | FarthingError:
        """Read and check what is presented.

        Shape:  a session that is not there is answered as one whose voucher is not signed.
        """
        try:
            if not item.raw:
                return await self._by_tick(item.session, read_tick(item.tick), bearer, steps)
            promise = await self._by_voucher(item, bearer)
            if not item.tick:
                return promise
            known = self._nearest(item.session, promise)
            return await self._ticked(
                item.session, known, read_tick(item.tick), LADDER_TICKS_MAX, bearer, steps
            )
        except FarthingError as error:
            return error

    async def promises(
        self, items: Sequence[Presented], bearer: str
    ) -> list[Promise | FarthingError]:
        """Read and check what is presented together, each by itself; answers are in order.

        Shape: vouchers are verified side by side, and what brings a tick one after the other.
        """
        steps, found = Steps(), await self._vouchers(items, bearer)
        return [
            found[place] if place in found else await self.promise(item, bearer, steps)
            for place, item in enumerate(items)
        ]

    async def _vouchers(
        self, items: Sequence[Presented], bearer: str
    ) -> dict[int, Promise | FarthingError]:
        """Check all that are nothing but vouchers, some at a time; tell by their places."""
        found: dict[int, Promise | FarthingError] = {}
        plain = [place for place, item in enumerate(items) if item.raw and not item.tick]
        for begin in range(0, len(plain), _TOGETHER):
            some = plain[begin : begin + _TOGETHER]
            answers = await self._side_by_side([items[place] for place in some], bearer)
            found.update(zip(some, answers, strict=True))
        return found

    async def _side_by_side(
        self, items: Sequence[Presented], bearer: str
    ) -> list[Promise | FarthingError]:
        answers = [await self._read(item) for item in items]
        reading = [each for each in answers if isinstance(each, Reading)]
        claims = [(f"{bearer} {each.session}", each.claim()) for each in reading]
        matched = iter(await self._verifier.match_each(claims))
        return [
            await self._concluded(each, next(matched)) if isinstance(each, Reading) else each
            for each in answers
        ]

    async def _read(self, item: Presented) -> "Reading | Promise | FarthingError":
        try:
            voucher, known = read_voucher(item.raw), self._known.get(item.session)
            if known is not None and known.raw == item.raw:
                return promised_by(voucher.claims, item.raw)  # Its signature was checked before.
            kept = self._kept.get(item.session)
            drawable = kept or await self._drawable(item.session)
        except FarthingError as error:
            return error
        return Reading(item.session, item.raw, voucher, drawable, kept is not None)

    async def _concluded(
        self, read: "Reading", key: str | FarthingError
    ) -> Promise | FarthingError:
        if isinstance(key, FarthingError):
            return key
        if read.holds(key):
            return promised_by(read.voucher.claims, read.raw)
        try:
            if read.was_kept:
                await self._drawable(read.session)  # As much is asked where there is none.
        except FarthingError as error:
            return error
        return Unauthenticated("bad-voucher", "no session here is drawn by this signature")

    async def beside(self, signed: SignedOrder, key: str, raw: bytes, bearer: str) -> None:
        """Check the voucher that comes with an order that opens its session, which need not be.

        Raises: Malformed `malformed-voucher`; Unauthenticated `bad-voucher`; Unavailable, TooMuch.
        """
        order, session = signed.order, session_ordered(signed.order)
        opening = present(opening_of(order.resource), "an order that opens a session")
        agreed = Agreed(session, order.payee, order.asset, opening.tariff)
        drawable = Drawable(key, alias_of(session), agreed)
        read = Reading(session, raw, read_voucher(raw), drawable, was_kept=False)
        [matched] = await self._verifier.match_each([(f"{bearer} {session}", read.claim())])
        found = await self._concluded(read, matched)
        if isinstance(found, FarthingError):
            raise found

    def known(self, session: str) -> Promise | None:
        """Give the highest promise with a ladder that is remembered of a session."""
        return self._known.get(session)

    def remember(self, session: str, promise: Promise) -> None:
        """Remember a promise that the books took, or a higher tick of the same ladder."""
        if promise.claims.ladder is None:
            self._known.pop(session, None)
            return
        known = self._known.get(session)
        if known is None or known.raw != promise.raw or known.ticks < promise.ticks:
            _keep(self._known, session, promise)

    def seen(self, session: Session) -> Promise | None:
        """Remember how a session stands in the books; give its promise, if that has a ladder."""
        found = Drawable(session.key, session.alias, session.agreed)
        _keep(self._kept, session.id, found)
        if not session.tick:
            self._known.pop(session.id, None)
            return None
        claims = read_voucher(session.voucher).claims
        self.remember(session.id, Promise(claims, session.voucher, session.ticks, session.tick))
        return self._known[session.id]

    async def away(self, work: Callable[[], T], bearer: str) -> T:
        """Do what takes long off the event loop, for all who ask in turn."""
        async with self._turns.turn(bearer):
            return await self._ctx.verifiers.run(work)

    async def _by_tick(self, session: str, tick: Tick, bearer: str, steps: Steps) -> Promise:
        before = self._known.get(session)
        if before is not None:
            try:
                return await self._ticked(session, before, tick, REACH, bearer, steps)
            except FarthingError as error:
                now = await self._promised(session)  # As much is asked where there is none.
                if now is None or now == before:
                    raise error from None
        else:
            now = await self._promised(session)
        if now is None:
            raise bad_tick()
        return await self._ticked(session, now, tick, REACH, bearer, steps)

    async def _ticked(
        self, session: str, known: Promise, tick: Tick, reach: int, bearer: str, steps: Steps
    ) -> Promise:
        distance, reach = abs(tick.ticks - known.ticks), min(reach, steps.left)
        if distance <= reach:
            steps.left -= distance
        if _SHORT_STEPS < distance <= reach:
            promise = await self.away(lambda: ticked(known, tick, reach), bearer)
        else:
            promise = ticked(known, tick, reach)
        at = self._known.get(session)
        if at is not None and at.raw == promise.raw:
            self.remember(session, promise)
        return promise

    def _nearest(self, session: str, promise: Promise) -> Promise:
        """Give the promise that is known by this voucher, or the one that it makes by itself."""
        known = self._known.get(session)
        return known if known is not None and known.raw == promise.raw else promise

    async def _by_voucher(self, item: Presented, bearer: str) -> Promise:
        [answer] = await self._side_by_side([item], bearer)
        if isinstance(answer, FarthingError):
            raise answer
        return answer

    async def _drawable(self, session: str) -> Drawable:
        await self._promised(session)
        return self._kept.get(session, self._nobodys)

    async def _promised(self, session: str) -> Promise | None:
        found = await self.find(session)
        return None if found is None else self.seen(found)

    async def find(self, session: str) -> Session | None:
        """Look a session up."""
        return await self._ctx.database.read(lambda tx: one(tx, SESSIONS, session))


def _keep(kept: dict[str, T], session: str, what: T) -> None:
    while len(kept) >= _KEPT and session not in kept:
        del kept[next(iter(kept))]
    kept[session] = what
