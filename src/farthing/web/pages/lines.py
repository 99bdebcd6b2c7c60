"""A payment as an owner sees it: who paid whom for what, where it stands, and why it asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from farthing.core.mandates import Mandate, needs_two
from farthing.core.payments import Payment, State
from farthing.core.sessions import is_deposit, opening_of
from farthing.errors import Malformed


@dataclass(frozen=True, slots=True)
class Line:
    """A payment as an owner sees it.

    Shape: `other` names the other side where it may be known; `machine` the device, where it is
           the owner's own; `mine` tells which sides are the owner's: `out`, `in` or `both`;
           `approved` names by their ids who has approved what still waits for one more; `mandate`
           is what the owner's own ask was made by.
    """

    payment: Payment
    mine: str
    other: str
    machine: str
    now_ns: int
    approved: Mapping[str, str] = field(default_factory=dict[str, str])
    mandate: Mandate | None = None

    @property
    def thing(self) -> str:
        """Name what was bought, as far as its order says; empty where it does not."""
        payment = self.payment
        if not is_deposit(payment.resource):
            return payment.resource or payment.category
        try:
            opening = opening_of(payment.resource)
        except Malformed:
            return payment.category
        return opening.purpose if opening is not None else payment.category

    @property
    def why(self) -> tuple[str, int]:
        """Name the limit that made it ask, and give it; the first is empty where none did.

        Units: smallest units.
        """
        mandate, amount = self.mandate, self.payment.amount
        limits = () if mandate is None else (("two", mandate.two_above), ("why", mandate.ask_above))
        told = ((name, limit) for name, limit in limits if limit is not None and amount > limit)
        return next(told, ("", 0))

    @property
    def two(self) -> bool:
        """Whether two people have to approve it. Shape: of what asks."""
        return self.mandate is not None and needs_two(self.mandate, self.payment.amount)

    @property
    def state(self) -> str:
        """Where it stands now; a hold ends on time, and its record follows."""
        payment = self.payment
        if payment.state is State.HELD and self.now_ns >= payment.hold_ends_ns:
            return State.EXPIRED.value
        if payment.captured and payment.refunded == payment.captured:
            return "refunded"
        return payment.state.value

    @property
    def units(self) -> int:
        """What it came to, or would come to."""
        payment = self.payment
        return payment.captured if payment.state is State.CAPTURED else payment.amount

    @property
    def code(self) -> str:
        """Why it was refused; empty where it was not."""
        refused = self.payment.state is State.REFUSED
        return self.payment.reason.partition(":")[0] if refused else ""
