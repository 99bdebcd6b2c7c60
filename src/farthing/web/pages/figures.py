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

        Shape: `sign` is put before it: a plus or a minus of what came or went.
        """
        before, whole, rest, after = self.parts(units, code)
        if whole == "0":  # What there is of it is what counts: the noughts before it step back.
            digits = rest.lstrip(".,0")
            lead, rest = f"{before}0{rest.removesuffix(digits)}", digits
            small, strong = Markup('<span class="noughts">{}</span>').format(lead), escape(rest)
        else:
            strong = escape(before + whole)
            small = Markup('<span class="minor">{}</span>').format(rest) if rest else Markup("")
        parts = (small, strong) if whole == "0" else (strong, small)
        return Markup('<span class="amount">{}{}{}{}</span>').format(
            escape(sign), *parts, escape(after)
        )

    def moment(self, ns: int) -> Markup:
        """Write a moment; the page's script says how long ago that is."""
        exact = write_time_ns(ns)[:19].replace("T", " ") + " UTC"
        iso = write_time_ns(ns)
        return Markup('<time datetime="{}" title="{}">{}</time>').format(iso, exact, exact[:16])
