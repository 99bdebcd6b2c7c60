"""Settling an order for a stock seller: one call captures it, any other is told that it was done.

A seller may serve for every settlement that succeeds, so a credential that succeeded twice would
be served twice for one payment. Who lost an answer asks again under the same key and gets it.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from farthing.books.base import Done
from farthing.core.idempotency import Once
from farthing.core.orders import SignedOrder
from farthing.core.paying import UNNAMED
from farthing.core.payments import Payment, State
from farthing.core.settling import Capture, Settle, Settled
from farthing.services.context import Context
from farthing.services.payments import Payments, shown_state


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
) -> tuple[Payment, Done[Any], bool]:
    """Capture what was held for an order, or charge it at once.

    Shape:  the payment, the commit it was last changed in, and whether this call, or the first
            under its key, is the one that captured it.
    Raises: as `Payments.authorise` and `Payments.capture` do.
    """
    done = await payments.authorise(
        signed, hold_seconds=hold_seconds, capture=True, keyed=keyed, claim=key.claim, bearer=bearer
    )
    payment, fresh = done.answer
    state = shown_state(payment, ctx.clock())
    if state is State.CAPTURED and fresh:
        return payment, done, True
    if state is not State.HELD and not (state is State.CAPTURED and key.scoped):
        return payment, done, False
    unit = Once(
        Settle(Capture(payment.id, by)),
        *(key.scoped, key.content, 200, _written),
        final=lambda settled: settled.now,
    )
    captured = await ctx.books.commit_one(unit, by or "")
    now = msgspec.json.decode(captured.answer.body, type=bool)
    return await payments.find(payment.id), captured, now


def _written(settled: Settled) -> bytes:
    return msgspec.json.encode(settled.now)
