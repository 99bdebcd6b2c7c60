"""Price tags on HTTP routes: offers by method and path pattern, and which one a request meets.

A pattern is exact (`/report`), has named segments (`/sensors/{name}`), or ends in `/*` for
everything below. The most specific pattern wins: segment by segment from the left, exact text
before a name before a star. Whatever lies under a declared prefix and has no price is refused,
so that a forgotten route fails closed; so is what only looks like a path that has a price.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from urllib.parse import quote

from farthing.core.lookalikes import Entry, Lookalikes, under
from farthing.core.paths import SAFE, AmbiguousPath, Path, normal_path
from farthing.core.usage import Usage
from farthing.errors import BadConfig
from farthing.money import Amount

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods an offer may name; HEAD always costs what GET costs."""

RERUN_MAX = 1000

Mode = Literal["hold", "charge"]
"""When money moves: held before the handler runs and captured at its head, or at once."""

_NAME = re.compile(r"\{[a-z][a-z0-9_]*\}", re.ASCII)
_EXACT, _NAMED, _REST = 0, 1, 2


class BadPrice(BadConfig):
    """A price tag that cannot be used."""

    def __init__(self, detail: str, **more: int) -> None:
        super().__init__("bad-price", detail, **more)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which paths an offer is for: `None` stands for any one segment, `rest` for a last `*`."""

    text: str
    segments: tuple[str | None, ...]
    rest: bool

    @property
    def exact(self) -> bool:
        """Tell whether only one path can match."""
        return not self.rest and None not in self.segments

    @property
    def order(self) -> tuple[int, ...]:
        """Sort the more specific pattern first."""
        kinds = tuple(_EXACT if part is not None else _NAMED for part in self.segments)
        return (*kinds, _REST) if self.rest else kinds

    def matches(self, segments: Sequence[str]) -> bool:
        """Tell whether a path's decoded segments fit."""
        if len(segments) < len(self.segments) + self.rest:
            return False
        if len(segments) != len(self.segments) and not self.rest:
            return False
        return all(
            bool(have) if want is None else have == want
            for want, have in zip(self.segments, segments, strict=False)
        )


def parse_pattern(text: str) -> Pattern:
    """Read a path pattern; exact parts are written as in a URL and compared decoded.

    Raises: BadPrice.
    """
    rest = text.endswith("/*")
    parts = (text[:-2] if rest else text).split("/")[1:]
    if not text.startswith("/"):
        raise BadPrice(f"the path {text!r} starts with /")
    if "" in (parts if rest else parts[:-1]):
        raise BadPrice(f"the path {text!r} has no empty segments")
    return Pattern(text, tuple(_part(part, text) for part in parts), rest)


def _part(part: str, text: str) -> str | None:
    if _NAME.fullmatch(part):
        return None
    if any(char in part for char in "{}*"):
        raise BadPrice(
            f"in {text!r} a name fills a whole segment, and * stands last: /a/{{name}}/*"
        )
    try:
        return normal_path(("/" + part).encode()).text[1:]
    except AmbiguousPath as problem:
        raise BadPrice(f"the path {text!r}: {problem.detail}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One price tag: what a request costs, who is paid, and how it is settled.

    Units:  `valid_from` and `valid_until` are whole Unix seconds, the end excluded.
    Shape:  `mode` holds first and captures at the answer's head, or charges in one step;
            `on_broken` says what happens to the money when an answer breaks off; `rerun` is how
            often one payment may run a GET again; `free_for` names devices that pay nothing;
            `usage` makes it metered: paid by a session, `price` is then what its reserve costs;
            `in_hub` is its id where the hub keeps it.
    """

    name: str
    price: Amount
    path: str = ""
    methods: frozenset[str] = frozenset({"GET"})
    payee: str = ""
    description: str = ""
    category: str = ""
    valid_from: int | None = None
    valid_until: int | None = None
    mode: Mode = "hold"
    on_broken: Literal["keep", "refund"] = "keep"
    rerun: int = 0
    free_for: frozenset[str] = frozenset()
    bind_body: bool = True
    usage: Usage | None = None
    in_hub: str = ""

    def __post_init__(self) -> None:
        unknown = self.methods - METHODS
        if unknown or not self.methods:
            raise BadPrice(f"methods are some of {', '.join(sorted(METHODS))}")
        if self.rerun and (self.methods - {"GET"} or not 0 <= self.rerun <= RERUN_MAX):
            raise BadPrice(f"rerun is 0 to {RERUN_MAX}, and for GET alone")
        if None not in (self.valid_from, self.valid_until) and self.window[0] >= self.window[1]:
            raise BadPrice("valid_until lies after valid_from")

    def valid_at(self, now_seconds: int) -> bool:
        """Tell whether the offer stands at this moment."""
        start, end = self.window
        return start <= now_seconds < end

    def clashes(self, other: "Offer") -> bool:
        """Tell whether some method and moment would have both prices."""
        (start, end), (other_start, other_end) = self.window, other.window
        return bool(self.methods & other.methods) and start < other_end and other_start < end

    @property
    def window(self) -> tuple[float, float]:
        """Give when the offer stands, from and until; open ends are infinite."""
        start = float("-inf") if self.valid_from is None else self.valid_from
        return start, float("inf") if self.valid_until is None else self.valid_until


class Found(NamedTuple):
    """What a request meets: an offer, a refusal's code, or neither for a free path."""

    offer: Offer | None = None
    refusal: str = ""
    methods: frozenset[str] = frozenset()

    @property
    def priced(self) -> bool:
        """Tell whether it is not free."""
        return bool(self.refusal or (self.offer and self.offer.price.units))


def priced_method(method: str) -> str:
    """Give the method whose price counts: HEAD costs what GET costs."""
    return "GET" if method == "HEAD" else method


@dataclass(frozen=True)
class PriceList:
    """A seller's offers, ready to be looked up.

    Raises: BadPrice for a pattern or prefix that cannot be read, and for two offers that clash.
    """

    offers: tuple[Offer, ...] = ()
    realm: str = ""
    payee: str = ""
    prefixes: tuple[str, ...] = ()
    _exact: dict[tuple[str | None, ...], list[tuple[Pattern, Offer]]] = field(
        default_factory=dict[tuple[str | None, ...], list[tuple[Pattern, Offer]]],
        init=False,
        repr=False,
        compare=False,
    )
    _open: list[tuple[Pattern, Offer]] = field(
        default_factory=list[tuple[Pattern, Offer]], init=False, repr=False, compare=False
    )

    _under: tuple[tuple[str, ...], ...] = field(default=(), init=False, repr=False, compare=False)
    _alike: Lookalikes = field(default=Lookalikes(()), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        seen: dict[tuple[tuple[str | None, ...], bool], list[Offer]] = {}
        priced: list[Entry] = []
        for index, offer in enumerate(self.offers):
            pattern = parse_pattern(offer.path)
            if offer.price.units:
                priced.append(
                    Entry(pattern.segments, pattern.rest, pattern.order, offer.methods, offer.price)
                )
            same = seen.setdefault((pattern.segments, pattern.rest), [])
            _refuse_clash(offer, same, index)
            same.append(offer)
            if pattern.exact:
                self._exact.setdefault(pattern.segments, []).append((pattern, offer))
            else:
                self._open.append((pattern, offer))
        self._open.sort(key=lambda entry: entry[0].order)
        object.__setattr__(self, "_under", tuple(_prefix(text) for text in self.prefixes))
        object.__setattr__(self, "_alike", Lookalikes(priced))

    def current(self) -> "PriceList":
        """Give the list in force: this one, which never changes."""
        return self

    def find(self, method: str, path: Path, now_seconds: int) -> Found:
        """Find the most specific offer that is for this method and stands now."""
        method = priced_method(method)
        matching = self._matching(path.segments)
        for_method = [entry for entry in matching if method in entry[1].methods]
        for pattern, offer in for_method:
            if offer.valid_at(now_seconds):
                return self._unless_dearer(path, method, pattern, offer)
        if for_method:
            return Found(refusal="offer-not-valid")
        if matching:
            methods = frozenset[str]().union(*(offer.methods for _, offer in matching))
            return Found(refusal="unpriced-method", methods=methods)
        if self.guards(path):
            return Found(refusal="unpriced-path")
        return Found(refusal="other-spelling") if self._alike.any(path.segments) else Found()

    def _unless_dearer(self, path: Path, method: str, pattern: Pattern, offer: Offer) -> Found:
        """Give the offer, unless a star or a name has caught what looks like a dearer path."""
        if not pattern.exact and self._alike.dearer(
            path.segments, method, pattern.order, offer.price
        ):
            return Found(refusal="other-spelling")
        return Found(offer)

    def guards(self, path: Path) -> bool:
        """Tell whether a path lies under a declared prefix, or looks as if it did."""
        return any(under(prefix, path.segments) for prefix in self._under)

    def _matching(self, segments: tuple[str, ...]) -> list[tuple[Pattern, Offer]]:
        exact = self._exact.get(segments, [])
        return exact + [entry for entry in self._open if entry[0].matches(segments)]


def _prefix(text: str) -> tuple[str, ...]:
    """Read a prefix, written as in a URL or as one would say it."""
    try:
        return normal_path(quote(text, safe=f"{SAFE}%").encode()).segments
    except AmbiguousPath as problem:
        raise BadPrice(f"the prefix {text!r}: {problem.detail}") from None


def _refuse_clash(offer: Offer, others: Iterable[Offer], index: int) -> None:
    for other in others:
        if offer.clashes(other):
            raise BadPrice(
                f"{offer.path} has two prices for the same methods and time; "
                "give them different methods, or validity that does not overlap",
                index=index,
            )
