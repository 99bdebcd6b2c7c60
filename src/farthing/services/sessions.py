"""Sessions: opened and topped up by signed orders, drawn by vouchers, closed by either side."""

from collections.abc import Sequence
from typing import Any

from farthing.books.base import Done
from farthing.core.closing import CloseSession, EndSession, SettleDeposit
from farthing.core.drawing import Draw
from farthing.core.orders import SignedOrder
from farthing.core.paying import Authorise, Authorised
from farthing.core.payments import Payment, State
from farthing.core.promises import Promise
from farthing.core.sessions import KeepTariff, Session, opening_of
from farthing.core.tariffs import Tariff
from farthing.errors import Conflict, FarthingError, Malformed, Missing, PaymentRefused
from farthing.services.context import Context
from farthing.services.payments import Payments, split_reason
from farthing.services.proving import Presented, Proofs, Steps


def require_funded(payment: Payment) -> None:
    """Refuse a deposit whose money is not held.

    Raises: Conflict `awaiting-owner`; PaymentRefused with the recorded reason.
    """
    if payment.state is State.AWAITING:
        raise Conflict("awaiting-owner", "the owner is asked", payment=payment.id)
    if payment.state is State.REFUSED:
        code, detail = split_reason(payment.reason)
        raise PaymentRefused(code or "refused", detail, payment=payment.id)


class Sessions:
    """The hub's session verbs. `by` is an owner's id, or None for the hub itself."""

    def __init__(self, ctx: Context, payments: Payments) -> None:
        self._ctx, self._payments = ctx, payments
        self.proofs = Proofs(ctx, payments.verifier)

    async def open(
        self,
        signed: SignedOrder,
        tariff: Tariff,
        *,
        category: str = "",
        bearer: str = "",
        offer: str = "",
        place: str = "",
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
        return await self._deposit(signed, category, bearer, offer, place)

    async def top_up(
        self, signed: SignedOrder, bearer: str = "", place: str = ""
    ) -> Done[Authorised]:
        """Add the deposit of a signed order to its session."""
        if opening_of(signed.order.resource) is not None:
            raise Malformed("malformed-session", "this order opens a session")
        return await self._deposit(signed, "", bearer, place=place)

    async def _deposit(
        self, signed: SignedOrder, category: str, bearer: str, offer: str = "", place: str = ""
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
                place=place,
            )
            step.part("commit")
            return await self._ctx.books.commit_one(unit, device.owner)

    async def draw(
        self, presented: Presented, by: str | None = None, *, late: bool = False, bearer: str = ""
    ) -> Session:
        """Accept one voucher, or a tick."""
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
        """Accept vouchers and ticks, each by itself, in order; one commit takes them all."""
        answers: list[Any] = await self.proofs.promises(presented, bearer)
        promises = [
            (item.session, found)
            for item, found in zip(presented, answers, strict=True)
            if isinstance(found, Promise)
        ]
        drawn = iter(await self.take(promises, by, late=late, bearer=bearer))
        for place, found in enumerate(answers):
            if isinstance(found, Promise):
                answers[place] = next(drawn)
        return answers

    async def check(self, item: Presented, bearer: str = "") -> Promise | FarthingError:
        """Read and check what is presented; nothing is drawn."""
        return await self.proofs.promise(item, bearer, Steps())

    async def check_opening(self, signed: SignedOrder, voucher: bytes, bearer: str = "") -> None:
        """Check an order that opens a session and the voucher beside it; nothing is held.

        Raises: Malformed, Unauthenticated, Unavailable.
        """
        _, key = await self._payments.who_ordered(signed, bearer)
        await self.proofs.beside(signed, key, voucher, bearer)

    async def take(
        self,
        promises: Sequence[tuple[str, Promise]],
        by: str | None = None,
        *,
        late: bool = False,
        bearer: str = "",
    ) -> list[Session | FarthingError]:
        """Have the books take promises that were proved, each for its session."""
        units = [Draw(session, promise, by, late) for session, promise in promises]
        answers: list[Session | FarthingError] = []
        for done, unit in zip(await self._ctx.books.commit(units, bearer), units, strict=True):
            if isinstance(done, FarthingError):
                answers.append(done)
                continue
            answers.append(done.answer)
            if done.answer.voucher == unit.promise.raw:
                self.proofs.remember(unit.session, unit.promise)
        return answers

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
        found = await self.proofs.find(ident)
        if found is None:
            raise Missing("no-such-session", "there is no such session here")
        return found
