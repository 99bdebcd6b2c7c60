"""Settling an order for a stock seller: one call captures it, any other is told that it was done.

A seller may serve for every settlement that succeeds, so a credential that succeeded twice would
be served twice for one payment. Who lost an answer asks again under the same key and gets it.
"""

from dataclasses import dataclass
from typing import Any

from farthing.books.base import Done
from farthing.core.idempotency import Once
from farthing.core.orders import SignedOrder
from farthing.core.paying import UNNAMED
from farthing.core.payments import Payment, State
from farthing.core.settling import Capture, Settle, Settled, Void
from farthing.errors import Conflict
from farthing.services.context import Context
from farthing.services.payments import Payments, shown_state

_NOW, _BEFORE = b"now", b"before"


@dataclass(frozen=True, slots=True)
class Key:
    """A seller's idempotency key, scoped to it, and the hash of what it asked; empty for none."""

    seller: str
    scoped: bytes = b""
    content: bytes = b""

    @property
    def claim(self) -> str:
        """Name who serves what is charged at once, so that its lost answer can be given again."""
        return f"{self.seller}/{self.scoped.hex()[:32]}" if self.scoped else UNNAMED


async def settle(
    payments: Payments,
    ctx: Context,
    signed: SignedOrder,
    *,
    hold_seconds: int,
    keyed: tuple[bytes, bytes],
    by: str | None,
    key: Key,
    bearer: str = "",
    units: int | None = None,
) -> tuple[Payment, Done[Any]]:
    """Capture what was held for an order, or charge it at once.

    Shape:  the payment and the commit it was last changed in; `units` is how much is taken, the
            rest is released; None for all of it.
    Raises: as `Payments.authorise` and `Payments.capture` do; Conflict `duplicate-settlement`
            where neither this call nor the first under its key is the one that captured it.
    """
    done = await payments.authorise(
        signed,
        hold_seconds=hold_seconds,
        capture=units is None,
        keyed=keyed,
        claim=key.claim,
        bearer=bearer,
    )
    payment, fresh = done.answer
    state = shown_state(payment, ctx.clock())
    over = (State.CAPTURED, State.VOIDED) if units == 0 else (State.CAPTURED,)
    if (state is State.CAPTURED and fresh) or state not in (State.HELD, *over):
        return payment, done
    if state in over and not key.scoped:
        raise _again(payment)
    unit = Once(
        Settle(
            Void(payment.id, by, "nothing-used") if units == 0 else Capture(payment.id, by, units)
        ),
        *(key.scoped, key.content, 200, _written),
        final=_is_now,
    )
    captured = await ctx.books.commit_one(unit, by or "")
    settled = await payments.find(payment.id)
    if settled.state in (State.CAPTURED, State.VOIDED) and captured.answer.body != _NOW:
        raise _again(settled)
    return settled, captured


def _again(payment: Payment) -> Conflict:
    return Conflict("duplicate-settlement", "this payment was settled before", payment=payment.id)


def _is_now(settled: Settled) -> bool:
    return settled.now


def _written(settled: Settled) -> bytes:
    return _NOW if settled.now else _BEFORE
