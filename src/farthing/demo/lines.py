"""The demo in plain lines, for a log or a simple terminal: what is new, and a line a second."""

from collections.abc import Callable

from farthing.demo import words
from farthing.demo.tally import Entry, Sign, Tally

Write = Callable[[str], None]


class Lines:
    """Writes the first of its kind in full, and sums up the rest once a second."""

    def __init__(self, tally: Tally, write: Write) -> None:
        self._tally, self._write = tally, write
        self._read = 0
        self._second = 0
        self._known: set[tuple[str, ...]] = set()

    def look(self) -> None:
        """Write what is new since the last look."""
        tally = self._tally
        if tally.wallet and not self._known:
            self._known.add(("wallet",))
            self._write(f" 0:00  wallet   {tally.wallet}")
        fresh = min(tally.entries - self._read, len(tally.feed))
        self._read = tally.entries
        for entry in list(tally.feed)[len(tally.feed) - fresh :]:
            kind = (entry.sign.value, entry.who, entry.reason, entry.shop)
            if entry.sign in (Sign.NOTE, Sign.TROUBLE) or kind not in self._known:
                self._known.add(kind)
                self._write(f"{words.moment(entry.at):>5}  {line(entry)}")
        if int(tally.now()) > self._second:
            self._second = int(tally.now())
            self._write(f"{words.moment(self._second):>5}  {status(tally)}")


def line(entry: Entry) -> str:
    """Write an entry as a sentence."""
    what = f"{entry.shop} {entry.what}"
    match entry.sign:
        case Sign.PAID:
            return f"paid     {entry.who} -> {what}  {words.price(entry.units)}"
        case Sign.REFUSED:
            return f"refused  {entry.who} -> {what}: {words.reason(entry.reason)}"
        case Sign.ASKING:
            return f"asking   {entry.who} -> {what}: its owner is asked first"
        case Sign.NOTE:
            amount = f"  {words.price(entry.units)}" if entry.units else ""
            return f"owner    {entry.who}: {entry.what}{amount}"
        case Sign.TROUBLE:
            return f"trouble  {entry.who}: {entry.reason}"


def status(tally: Tally) -> str:
    """Write the totals in a line."""
    refused = sum(tally.refused.values())
    return (
        f"         {words.plural(tally.payments, 'payment')}, {words.price(tally.volume)}, "
        f"{refused} refused, p50 {words.milliseconds(tally.latency_ms(0.5))}, "
        f"p99 {words.milliseconds(tally.latency_ms(0.99))}"
    )
