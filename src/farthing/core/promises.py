"""A promise: a voucher, and the highest tick that is known of the ladder it commits to.

The one that promises the most counts, whatever else was shown and in whatever order. A promise
proves itself to anybody: the device signed the voucher, and the tick hashes down to its anchor.
"""

from typing import NamedTuple

from farthing.core.ticks import LADDER_TICKS_MAX, Ladder, Rung, Tick, climb
from farthing.core.vouchers import Claims
from farthing.errors import PaymentRefused, Unauthenticated

REACH = 4096
"""How far from what is known a tick may be that comes without its voucher.

Anybody can send 28 bytes; who sends a voucher has one that the session's device signed.
"""


class Promise(NamedTuple):
    """What a voucher and its ticks promise, once both were checked.

    Shape: `raw` is the voucher; `ticks` counts what was shown of its ladder, and `value` is the
           ladder's value there: the anchor at 0, nothing where there is no ladder.
    """

    claims: Claims
    raw: bytes
    ticks: int = 0
    value: bytes = b""

    @property
    def units(self) -> int:
        """All that is promised in its session."""
        ladder = self.claims.ladder
        return self.claims.units + (self.ticks * ladder.each if ladder else 0)

    @property
    def rung(self) -> Rung:
        """Where on its ladder it stands."""
        return self.ticks, self.value

    def at(self, rung: Rung) -> "Promise":
        """Give the promise with another rung of the same ladder, which was checked."""
        return Promise(self.claims, self.raw, *rung)


def promised_by(claims: Claims, raw: bytes) -> Promise:
    """Give what a voucher promises by itself, before any tick."""
    ladder = claims.ladder
    return Promise(claims, raw, 0, ladder.anchor if ladder else b"")


def is_ahead(promise: Promise, units: int, sequence: int) -> bool:
    """Tell whether it says more than what is known: `units` in all, by voucher `sequence`.

    Shape: a new ladder that promises as much as there is already takes the place of an older one.
    """
    if promise.units != units:
        return promise.units > units
    return promise.claims.ladder is not None and promise.claims.sequence > sequence


def require_on(ladder: Ladder | None, alias: bytes, tick: Tick) -> Ladder:
    """Refuse a tick that no ladder here can have.

    Raises: Unauthenticated `bad-tick`.
    """
    if ladder is None or tick.alias != alias or not 0 < tick.ticks <= ladder.most:
        raise bad_tick()
    return ladder


def ticked(known: Promise, tick: Tick, reach: int = LADDER_TICKS_MAX) -> Promise:
    """Check a tick against a promise that is known, and give the promise that it makes.

    Raises: Unauthenticated `bad-tick`; PaymentRefused `tick-too-far` from what is known.
    """
    ladder = require_on(known.claims.ladder, known.claims.alias, tick)
    climbed = climb(tick.alias, known.rung, [tick.rung], reach, ladder.most, reach)
    if climbed.far:
        raise too_far()
    if climbed.wrong:
        raise bad_tick()
    return known.at(tick.rung)


def bad_tick() -> Unauthenticated:
    """Say that a tick is of no ladder here; where there is no session as well."""
    return Unauthenticated("bad-tick", "no session here is drawn by this tick")


def too_far() -> PaymentRefused:
    """Say that it would take too many steps to check a tick."""
    detail = f"it is more than {REACH} steps from what is known, or too many for one request"
    return PaymentRefused("tick-too-far", detail)
