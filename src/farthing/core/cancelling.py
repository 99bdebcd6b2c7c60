"""Cancelling an order: the device's own word that it is never to be paid.

A signed order can be cashed by whoever carries it, until it expires. A cancel takes its place in
the books first, or finds that it came too late: one commit decides which of the two was there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from farthing import ids
from farthing.clock import NS
from farthing.core.asks import ASKS, ask_key
from farthing.core.decisions import Outcome, View
from farthing.core.orders import LIFETIME_SECONDS_MAX, payment_name
from farthing.core.paying import Authorise, order_digest
from farthing.core.payments import PAYMENTS, Authorised, Payment, State
from farthing.core.records import Read
from farthing.core.refusals import Refusal
from farthing.core.taking import refuse
from farthing.errors import Conflict, PaymentRefused, present

AHEAD_SECONDS_MAX = 86_400
"""How far ahead of the book's time a cancelled order may have been made: a wrong clock's day."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Refuse an order for good, unless its money is held or taken already.

    Shape: `order` is the order as it would be paid; its `key` is the one that signed the cancel,
           and `order.signed.signature` is that of the cancel.
    """

    order: Authorise

    @property
    def reads(self) -> Sequence[Read]:
        """What paying the order would read."""
        return self.order.reads

    @property
    def accounts(self) -> Sequence[int]:
        """None: no money moves."""
        return ()

    def plan(self, view: View) -> Outcome[Authorised]:
        """Refuse what is not decided; say how it stands of what is."""
        found = self._recorded(view)
        if found is not None and found.state is not State.AWAITING:
            # Also a hold: a seller that has one may be serving for it, and can count on it.
            return Outcome(Authorised(found, fresh=False))
        device = self.order.check_device(view)
        if found is not None:
            return refuse(view, found, Refusal.CANCELLED)
        self._check_order(view.now_ns)
        payer, payee = self.order.sides(view, device)
        return refuse(view, self.order.draft(view, device, payer, payee), Refusal.CANCELLED)

    def _recorded(self, view: View) -> Payment | None:
        order = self.order.signed.order
        name = payment_name(order)
        found = view.get(PAYMENTS, name)
        if found is not None:
            same = found.order_digest == order_digest(order)
        else:
            equal = view.get(ASKS, name)
            if equal is None:
                return None
            found = present(view.get(PAYMENTS, equal.payment), "an ask's payment is kept")
            same = found.ask in (ask_key(order, True), ask_key(order, False))
        if not same:
            raise Conflict("nonce-used", "this nonce was used for another order")
        return found

    def _check_order(self, now_ns: int) -> None:
        order, now = self.order.signed.order, now_ns // NS
        if order.hub != self.order.hub:
            raise PaymentRefused("wrong-hub", "this order is for another hub")
        made = ids.time_ms(ids.decode(order.nonce)) // 1000
        if order.expires <= now or made < now - LIFETIME_SECONDS_MAX:
            raise PaymentRefused("order-expired", "nobody can cash this order any more")
        # What is made by a clock that is ahead becomes due later, and so can be cancelled now.
        if made > now + AHEAD_SECONDS_MAX:
            raise PaymentRefused("order-time", "the order was made in the future")
