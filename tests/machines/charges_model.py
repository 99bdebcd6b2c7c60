"""An independent model of what x402 charges: of sessions request by request, and of `upto` once."""

from dataclasses import dataclass, field


@dataclass
class Channel:
    """A session that is charged.

    Shape: `aside` maps a sequence to units, and to when they are free again.
    """

    grace: int
    ends: int
    deposit: int
    promised: int = 0
    newest: int = 0
    charging: bool = False
    charged: int = 0
    sequence: int = 0
    aside: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    closed: bool = False
    took: int = 0

    def begin(self) -> None:
        """What was promised before the first request is no request's."""
        if not self.charging:
            self.charging, self.charged, self.sequence = True, self.promised, self.newest

    def under_way(self, now: int, but: int = 0) -> int:
        return sum(
            units for number, (units, end) in self.aside.items() if number != but and now < end
        )


@dataclass
class Most:
    """An order for the most that may be taken."""

    amount: int
    ends: int
    state: str = "held"
    took: int = 0


class Model:
    """What the hub should say."""

    def __init__(self, now: int, money: int) -> None:
        self.now, self.money = now, money
        self.channels: list[Channel] = []
        self.mosts: list[Most] = []

    def held(self) -> int:
        mosts = sum(one.amount for one in self.mosts if one.state == "held")
        return mosts + sum(one.deposit for one in self.channels if not one.closed)

    def given(self) -> int:
        return sum(one.took for one in [*self.channels, *self.mosts])

    def draw(self, one: Channel, units: int, sequence: int) -> str:
        if one.closed:
            return "session-closed"
        if one.promised and units <= one.promised:
            return "yes" if units == one.promised else "voucher-superseded"
        if self.now >= one.ends:
            return "session-over"
        if units > one.deposit:
            return "voucher-beyond-deposit"
        one.promised, one.newest = units, sequence
        return "yes"

    def set_aside(self, one: Channel, units: int, sequence: int, most: int, seconds: int) -> str:
        taken = one.sequence if one.charging else one.newest
        charged = one.charged if one.charging else one.promised
        if sequence <= taken:
            return "voucher-used"
        if one.closed:
            return "session-closed"
        if units < one.promised:
            return "voucher-superseded"
        if self.now >= one.ends:
            return "session-over"
        if units > one.deposit:
            return "voucher-beyond-deposit"
        if charged + one.under_way(self.now) + most > units:
            return "voucher-needed"
        one.begin()
        one.promised, one.sequence = units, sequence
        one.aside[sequence] = (most, self.now + seconds)
        return "yes"

    def charge(
        self, one: Channel, units: int, sequence: int, most: int, seconds: int, used: int
    ) -> str:
        before = Channel(**{**vars(one), "aside": dict(one.aside)})
        said = self._charge(one, units, sequence, most, seconds, used)
        if said != "yes":
            vars(one).update(vars(before))  # Setting aside and charging happen together or not.
        return said

    def _charge(
        self, one: Channel, units: int, sequence: int, most: int, seconds: int, used: int
    ) -> str:
        if sequence > (one.sequence if one.charging else one.newest):
            said = self.set_aside(one, units, sequence, most, seconds)
            if said != "yes":
                return said
        if one.closed:
            return "session-closed"
        if sequence not in one.aside:
            return "duplicate-settlement"
        if used > one.aside[sequence][0]:
            return "capture-too-large"
        if one.charged + one.under_way(self.now, but=sequence) + used > one.promised:
            return "charged-too-late"
        one.charged += used
        del one.aside[sequence]
        return "yes"

    def close(self, one: Channel, units: int | None, *, due: bool) -> str:
        owed = one.charged if one.charging else one.promised
        if one.closed:
            return "closed" if units in (None, one.took) else "session-closed"
        if due and self.now < one.ends + one.grace:
            return "open"
        wanted = owed if units is None else units
        if wanted > one.promised:
            return "capture-too-large"
        one.closed, one.took = True, wanted
        return "closed"

    def settle(self, one: Most, used: int) -> str:
        if one.state in ("captured", "voided"):
            if one.took == used:
                return "before"
            return "already-captured" if used and one.state == "captured" else "not-held"
        if one.state != "held":
            return "not-held" if used else "before"
        if used > one.amount:
            return "capture-too-large"
        if self.now >= one.ends:
            one.state = "expired"
            return "before"
        one.state, one.took = ("captured", used) if used else ("voided", 0)
        return "now"
