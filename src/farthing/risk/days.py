"""The last days of a device or a payee: how many payments, how much, and how many were bad."""

from farthing.risk.known import DAY

DAYS = 36
"""How many days are remembered, the running one included."""

LATE_DAYS = 8
"""From this age on a day's payments are taken for judged: a week late, and the day itself."""

NEVER = 99
"""Days since what never was."""


class Days:
    """Counts by day, newest first. Shape: each list has `DAYS` numbers; `[3]` is three days ago."""

    __slots__ = ("_today", "bad", "counts", "largest", "strangers", "units")

    def __init__(self) -> None:
        self._today = 0
        self.counts, self.units, self.bad = [0] * DAYS, [0] * DAYS, [0] * DAYS
        self.largest, self.strangers = [0] * DAYS, [0] * DAYS

    def reach(self, now: int) -> None:
        """Let days pass until this moment; time that goes backwards stays."""
        gone = min(DAYS, now // DAY - self._today)
        if gone <= 0:
            return
        for row in (self.counts, self.units, self.bad, self.largest, self.strangers):
            row[:] = [0] * gone + row[: DAYS - gone]
        self._today = now // DAY

    def add(self, units: int, *, stranger: bool = False) -> None:
        """Count a payment of today."""
        self.counts[0] += 1
        self.units[0] += units
        self.largest[0] = max(self.largest[0], units)
        self.strangers[0] += stranger

    def tell_bad(self, at: int) -> None:
        """Hear that a payment of that moment was bad; one too long ago is forgotten already."""
        ago = self._today - at // DAY
        if 0 <= ago < DAYS:
            self.bad[ago] += 1

    def bad_known(self, first: int = LATE_DAYS, end: int = DAYS) -> tuple[int, int]:
        """Give how many were bad in these days ago, and how many thousandths of all that is."""
        bad, count = sum(self.bad[first:end]), sum(self.counts[first:end])
        return bad, bad * 1000 // count if count else 0

    def bad_ages(self) -> tuple[int, int]:
        """Give how many days ago the newest and the oldest bad payment were."""
        ages = [ago for ago, bad in enumerate(self.bad) if bad]
        return (ages[0], ages[-1]) if ages else (NEVER, NEVER)

    def bad_streak(self) -> int:
        """Count bad payments from the newest day that is judged back to one with a good payment."""
        streak = 0
        for count, bad in zip(self.counts[LATE_DAYS:], self.bad[LATE_DAYS:], strict=True):
            if bad < count:
                break
            streak += bad
        return streak
