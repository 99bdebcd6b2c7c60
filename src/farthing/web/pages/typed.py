"""What a person types: amounts in their own language's figures, lists with commas, days."""

import re

from farthing.clock import parse_time
from farthing.errors import Malformed
from farthing.money import UNITS_MAX, parse_price
from farthing.web.pages.place import one_line
from farthing.web.pages.visit import Visit

LINE_MAX = 60
_LISTED_MAX, _LIST_CHARACTERS_MAX = 20, 400
_GROUPED = re.compile(r"\.\d{3}(?!\d)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def units_typed(visit: Visit, text: str, asset: str) -> int | None:
    """Read an amount as a person types it; None where the field was left empty.

    Shape:  in German a comma is the point; `1.000` could be a thousand or one, and is refused.
    Raises: Malformed `malformed-price`, `amount-not-plain`.
    """
    if not text:
        return None
    plain = text
    if visit.renderer.language == "de":
        if _GROUPED.search(text):
            raise Malformed("amount-not-plain", "write a thousand as 1000, without a point")
        plain = text.replace(",", ".")
    return parse_price(f"{plain} {asset}", visit.call.desk.ctx.assets).units


def amount_typed(visit: Visit, text: str, asset: str) -> int:
    """Read an amount that has to be there, and is more than nothing.

    Raises: Malformed.
    """
    units = units_typed(visit, text, asset)
    if not units or units > UNITS_MAX:
        raise Malformed("nothing-to-move", "give an amount")
    return units


def list_typed(text: str) -> list[str]:
    """Read what stands between commas.

    Raises: Malformed.
    """
    found = [part.strip() for part in one_line(text, _LIST_CHARACTERS_MAX).split(",")]
    kept = list(dict.fromkeys(part for part in found if part))
    if len(kept) > _LISTED_MAX or any(len(part) > LINE_MAX for part in kept):
        raise Malformed("malformed-form", f"at most {_LISTED_MAX}, of {LINE_MAX} characters each")
    return kept


def day_typed(text: str) -> int:
    """Read the last day of something as its last second; 0 where it is empty.

    Raises: Malformed.
    """
    if not text:
        return 0
    if _DAY.fullmatch(text) is None:
        raise Malformed("malformed-form", "give a day as 2027-01-31")
    return parse_time(f"{text}T23:59:59Z")
