"""Spellings that some servers take for the same path.

Many services answer `/PAID`, `/paid/`, `/paid.` or `/paid.json` as they answer `/paid`: Express
ignores letter case and a last slash, Windows a last dot, Rails reads `.json` as a format, databases
compare without accents. Such a spelling must not be free where the path it looks like is not.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from farthing.money import Amount

_UNSEEN = ("Cf", "Mn")
_ENDINGS = ".:"
"""What may begin an ending that a server looks past: `.json`, and on NTFS `::$DATA`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A pattern that has a price: `None` stands for any segment, `rest` for a last star.

    Shape: `order` is its place among patterns, the more specific first.
    """

    segments: tuple[str | None, ...]
    rest: bool
    order: tuple[int, ...]
    methods: frozenset[str]
    price: Amount

    @property
    def whole(self) -> bool:
        """Tell whether only one path can match."""
        return not self.rest and None not in self.segments

    def dearer(self, price: Amount) -> bool:
        """Tell whether this costs more, or cannot be compared."""
        return self.price.asset != price.asset or self.price.units > price.units


def plain(segment: str) -> str:
    """Write a segment as the most forgiving server compares it.

    Shape: without letter case, accents, compatibility forms, marks that nobody sees, spaces around
           it and dots at its end.
    """
    if not segment.isascii():
        text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", segment).casefold())
        segment = "".join(char for char in text if unicodedata.category(char) not in _UNSEEN)
    return segment.lower().rstrip(". ").lstrip(" ")


def plain_path(segments: Sequence[str]) -> tuple[str, ...]:
    """Write a whole path so, up to what a server could take for its query; a last slash is none."""
    path, _, _ = "/".join(segments).replace("#", "?").partition("?")
    written = [plain(segment) for segment in path.split("/")]
    while written and not written[-1]:
        written.pop()
    return tuple(written)


class Lookalikes:
    """Patterns, looked up by what a path looks like."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._whole: dict[tuple[str, ...], list[Entry]] = {}
        self._open: list[tuple[tuple[str | None, ...], Entry]] = []
        for entry in entries:
            written = tuple(None if part is None else plain(part) for part in entry.segments)
            if entry.whole:
                named = [part for part in entry.segments if part is not None]
                self._whole.setdefault(plain_path(named), []).append(entry)
            else:
                self._open.append((written, entry))

    def any(self, segments: Sequence[str]) -> bool:
        """Tell whether a path looks like one of these, endings looked past."""
        have = plain_path(segments)
        if any(spelling in self._whole for spelling in _without_endings(have)):
            return True
        return any(_fits(want, entry.rest, have, endings=True) for want, entry in self._open)

    def dearer(
        self, segments: Sequence[str], method: str, order: tuple[int, ...], price: Amount
    ) -> bool:
        """Tell whether a path looks like one before `order` that costs more than `price`."""
        have = plain_path(segments)
        alike = self._whole.get(have, []) + [
            entry for want, entry in self._open if _fits(want, entry.rest, have, endings=False)
        ]
        return any(
            entry.order < order and method in entry.methods and entry.dearer(price)
            for entry in alike
        )


def under(prefix: Sequence[str], segments: Sequence[str]) -> bool:
    """Tell whether a path looks like a prefix, or like something below it."""
    return _fits(plain_path(prefix), True, plain_path(segments), endings=True)


def _fits(want: Sequence[str | None], rest: bool, have: Sequence[str], *, endings: bool) -> bool:
    if len(have) < len(want) or (len(have) > len(want) and not rest):
        return False
    pairs = list(zip(want, have, strict=False))
    if endings and pairs and len(have) == len(want):
        last, text = pairs.pop()
        if last is not None and last not in _beginnings(text):
            return False
    return all(bool(text) if part is None else text == part for part, text in pairs)


def _without_endings(have: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    return [(*have[:-1], text) for text in _beginnings(have[-1])] if have else [have]


def _beginnings(text: str) -> Iterable[str]:
    """Give a segment, and what is left of it before each of its endings."""
    cuts = [i for i, char in enumerate(text) if char in _ENDINGS and i]
    return [text, *(text[:i].rstrip(". ") for i in cuts)]
