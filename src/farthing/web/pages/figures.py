"""How amounts, moments and periods are written, in a person's language."""

from dataclasses import dataclass

from markupsafe import Markup, escape

from farthing.clock import write_time_ns
from farthing.money import Asset

_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}
_AFTER = frozenset({"de"})
_MINUS = "\u2212"
_NARROW = "\u202f"
_PLACES_LEAST = 2
_LENGTHS = ((13, "longest"), (10, "longer"), (7, "long"))


@dataclass(frozen=True, slots=True)
class Figures:
    """Writes figures as one language has them. Shape: `assets` tell how many decimals there are."""

    language: str
    assets: dict[str, Asset]

    def parts(self, units: int, code: str) -> tuple[str, str, str, str]:
        """Cut an amount: what stands before, whole units, the rest, and what stands after.

        Shape: no digit is lost, and no amount is ever rounded.
        """
        scale = self.assets[code].scale if code in self.assets else 0
        whole, rest = divmod(abs(units), 10**scale)
        digits = f"{rest:0{scale}d}".rstrip("0").ljust(min(_PLACES_LEAST, scale), "0")
        german = self.language in _AFTER
        grouped = f"{whole:,}".replace(",", ".") if german else f"{whole:,}"
        point = ("," if german else ".") if digits and scale else ""
        minor = f"{point}{digits}" if scale else ""
        symbol = _SYMBOLS.get(code)
        before = "" if german or symbol is None else symbol
        after = f"{_NARROW}{symbol or code}" if german or symbol is None else ""
        sign = _MINUS if units < 0 else ""
        return sign + before, grouped, minor, after

    def text(self, units: int, code: str) -> str:
        """Write an amount as plain text."""
        return "".join(self.parts(units, code))

    def typed(self, units: int, code: str) -> str:
        """Write an amount as one types it into a field: no symbol, and nothing between digits."""
        _, whole, rest, _ = self.parts(units, code)
        point = rest[:1]
        digits = rest[1:].rstrip("0")
        plain = "".join(digit for digit in whole if digit.isdigit())
        return f"{plain}{point}{digits.ljust(2, '0')}" if digits else plain

    def markup(self, units: int, code: str, sign: str = "") -> Markup:
        """Write an amount for a page: the small part in a smaller weight.

        Shape: `sign` is put before it: a plus or a minus of what came or went. What follows the
               point is a part of its own, and the amount says how long that is, so that a column
               stands at the point; so is what counts it, which a column has once, above it.
        """
        before, whole, rest, after = self.parts(units, code)
        minus, symbol = before[: units < 0], before[units < 0 :]
        front = Markup('<span class="unit">{}</span>').format(symbol) if symbol else Markup("")
        back = Markup('<span class="unit">{}</span>').format(after) if after else Markup("")
        front = escape(minus) + front + whole
        if whole == "0":  # What there is of it is what counts: the noughts before it step back.
            digits = rest.lstrip(".,0")
            front = _span("noughts", front)
            part = _span("noughts", escape(rest.removesuffix(digits))) + digits
        else:
            part = _span("minor", escape(rest))
        names = f"amount p{max(0, len(rest) - 1)}{_length(sign + before + whole + rest + after)}"
        return Markup('<span class="{}">{}<span class="part">{}{}</span></span>').format(
            names, escape(sign) + front, part, back
        )

    def moment(self, ns: int, *, exactly: bool = False) -> Markup:
        """Write a moment; the page's script says how long ago that is, or exactly when."""
        iso = write_time_ns(ns)
        exact = iso[:19].replace("T", " ") + " UTC"
        mark = Markup(" data-exact") if exactly else Markup("")
        text = exact if exactly else exact[:16]
        return Markup('<time datetime="{}" title="{}"{}>{}</time>').format(iso, exact, mark, text)


def _length(text: str) -> str:
    """Name how long an amount is, where it would be too wide for a phone at its full size."""
    return next((f" {name}" for most, name in _LENGTHS if len(text) > most), "")


def _span(name: str, text: Markup) -> Markup:
    """Mark a piece of an amount, where there is one."""
    return Markup('<span class="{}">{}</span>').format(name, text) if text else text
