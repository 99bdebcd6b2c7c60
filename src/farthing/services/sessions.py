"""Sessions: opened and topped up by signed orders, drawn by vouchers, closed by either side."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from farthing.books.base import Done
from farthing.core.closing import CloseSession, EndSession, SettleDeposit
from farthing.core.drawing import Draw
from farthing.core.orders import SignedOrder
from farthing.core.paying import Authorise, Authorised
from farthing.core.sessions import SESSIONS, KeepTariff, Session, opening_of
from farthing.core.tariffs import Tariff
from farthing.core.vouchers import Agreed, Voucher, read_voucher
from farthing.errors import FarthingError, Malformed, Missing, Unauthenticated
from farthing.keys import Ed25519Signer
from farthing.services.context import Context
from farthing.services.payments import Payments
from farthing.store.queries import one

VOUCHERS_MAX = 1000
_KEPT = 20_000


class Drawable(NamedTuple):
    """What never changes of a session, and is needed to check its vouchers."""

    key: str
    alias: bytes
    agreed: Agreed


class Presented(NamedTuple):
    """A voucher that somebody presents for a session."""

    session: str
    raw: bytes


class Sessions:
    """The hub's session verbs. `by` is an owner's id, or None for the hub itself."""

    def __init__(self, ctx: Context, payments: Payments) -> None:
        self._ctx, self._payments = ctx, payments
        self._kept: dict[str, Drawable] = {}
        seed = ctx.random_bits(256).to_bytes(32, "big")
        self._nobodys = Drawable(
            Ed25519Signer(seed).public, bytes(8), Agreed("", "", "", bytes(32))
        )

    async def open(
        self,
        signed: SignedOrder,
        tariff: Tariff,
        *,
        category: str = "",
        bearer: str = "",
        offer: str = "",
    ) -> Done[Authorised]:
        """Hold the deposit of a signed order, and open the session that it describes.

        Raises: Malformed, Unauthenticated, PaymentRefused (nothing recorded), Conflict.
        """
        opening = opening_of(signed.order.resource)
        if opening is None:
            raise Malformed("malformed-session", "this order tops a session up")
        if opening.tariff != tariff.digest() or tariff.asset != signed.order.asset:
            raise Malformed("tariff-mismatch", "the order was signed for another tariff")
        await self._ctx.books.commit_one(KeepTariff(tariff))
        return await self._deposit(signed, category, bearer, offer)

    async def top_up(self, signed: SignedOrder, bearer: str = "") -> Done[Authorised]:
        """Add the deposit of a signed order to its session."""
        if opening_of(signed.order.resource) is not None:
            raise Malformed("malformed-session", "this order opens a session")
        return await self._deposit(signed, "", bearer)

    async def _deposit(
        self, signed: SignedOrder, category: str, bearer: str, offer: str = ""
    ) -> Done[Authorised]:
        with self._ctx.watch.step("authorise") as step:
            step.part("verify")
            device, key = await self._payments.who_ordered(signed, bearer)
            unit = Authorise(
                signed,
                key,
                device,
                self._ctx.identity.hub,
                0,
                capture=False,
                category=category,
                serves=False,
                deposit=True,
                fees=self._ctx.fees,
                offer=offer,
            )
            step.part("commit")
            return await self._ctx.books.commit_one(unit, device.owner)

    async def draw(
        self, presented: Presented, by: str | None = None, *, late: bool = False, bearer: str = ""
    ) -> Session:
        """Accept one voucher."""
        [answer] = await self.draw_many([presented], by, late=late, bearer=bearer)
        if isinstance(answer, FarthingError):
            raise answer
        return answer

    async def draw_many(
        self,
        presented: Sequence[Presented],
        by: str | None = None,
        *,
        late: bool = False,
        bearer: str = "",
    ) -> list[Session | FarthingError]:
        """Accept vouchers, each by itself, in order; one commit takes them all."""
        answers: list[Any] = [await self.check(item, bearer) for item in presented]
        units = [
            Draw(item.session, found.claims, item.raw, by, late)
            for item, found in zip(presented, answers, strict=True)
            if isinstance(found, Voucher)
        ]
        drawn = iter(await self._ctx.books.commit(units, bearer))
        for place, found in enumerate(answers):
            if isinstance(found, Voucher):
                done = next(drawn)
                answers[place] = done if isinstance(done, FarthingError) else done.answer
        return answers

    async def check(self, item: Presented, bearer: str = "") -> Voucher | FarthingError:
        """Read a voucher and check its signature; nothing is drawn.

        Shape: a session that is not there is answered as one whose voucher is not signed.
        """
        try:
            voucher = read_voucher(item.raw)
            kept = self._kept.get(item.session)
            known = kept or await self._read(item.session)
            if await self._holds(voucher, known, f"{bearer} {item.session}"):
                return voucher
            if kept is not None:
                await self._read(item.session)  # As much is asked where there is none.
        except FarthingError as error:
            return error
        return Unauthenticated("bad-voucher", "no session here is drawn by this signature")

    async def _holds(self, voucher: Voucher, known: Drawable, line: str) -> bool:
        message, verifier = voucher.signed_bytes(known.agreed), self._payments.verifier
        key = await verifier.match([known.key], voucher.signature, message, line)
        algorithm = known.key.partition(":")[0]
        return bool(key) and voucher.is_for(algorithm) and voucher.claims.alias == known.alias

    async def _read(self, ident: str) -> Drawable:
        session = await self._found(ident)
        if session is None:
            return self._nobodys
        while len(self._kept) >= _KEPT:
            del self._kept[next(iter(self._kept))]
        found = Drawable(session.key, session.alias, session.agreed)
        self._kept[ident] = found
        return found

    async def end(self, ident: str, by: str | None, device: str = "") -> Session:
        """Let its payer end a session: nothing new is drawn from now on."""
        return (await self._ctx.books.commit_one(EndSession(ident, by, device), by or "")).answer

    async def close(
        self, ident: str, by: str | None, units: int | None = None, *, due: bool = False
    ) -> Session:
        """Close a session and settle its deposits.

        Shape: a deposit that cannot be settled now, as an account is frozen, is settled later.
        """
        unit = CloseSession(ident, by, units, due)
        closed = (await self._ctx.books.commit_one(unit, by or "")).answer
        await self.settle(closed)
        return await self.find(ident)

    async def settle(self, session: Session) -> None:
        """Capture or release the deposits of a closed session that were not yet."""
        units = [SettleDeposit(deposit) for deposit in session.deposits]
        await self._ctx.books.commit(units, session.payee_owner)

    async def find(self, ident: str) -> Session:
        """Get a session.

        Raises: Missing.
        """
        found = await self._found(ident)
        if found is None:
            raise Missing("no-such-session", "there is no such session here")
        return found

    async def _found(self, ident: str) -> Session | None:
        return await self._ctx.database.read(lambda tx: one(tx, SESSIONS, ident))
