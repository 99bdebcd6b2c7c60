"""Reading a price file, with line numbers in its errors, and following its changes."""

import asyncio
import re
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from farthing.bounded import read_file
from farthing.core.prices import BadPrice, Offer, PriceList
from farthing.core.usage import USAGE, Usage, usage
from farthing.errors import BadConfig, FarthingError, Malformed
from farthing.log_lines import Log
from farthing.misfits import Misfit, misfit
from farthing.money import Amount, Asset, parse_price
from farthing.web.price_rows import ROWS, OfferRow, PriceFile

log = Log("prices")

FILE_BYTES_MAX = 4 * 1024 * 1024

_PLACE = re.compile(r"(?:(seller|offer)(?:\[(\d+)\])?(?:\.|$))?(.*)", re.DOTALL)
"""Where a fault is: its table, which of them, and the key in it."""

_HEADER = re.compile(r"\s*\[\[?\s*([A-Za-z0-9_.\"' -]+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"\s*\"?([A-Za-z0-9_-]+)\"?\s*[=.]")

_LOOK_SECONDS = 1.0


class BadPriceFile(BadConfig):
    """A price file that cannot be used; the detail says where and what to do.

    Shape: `line` counts from 1; 0 where the whole file is meant.
    """

    def __init__(self, path: str, line: int, what: str) -> None:
        self.line = line
        place = f"{path}, line {line}" if line else path
        super().__init__("bad-price-file", f"{place}: {what}")


def price_text(file: Path) -> str:
    """Load a price file's text.

    Raises: BadPriceFile for one that is too long or not UTF-8; OSError.
    """
    try:
        return read_file(file, FILE_BYTES_MAX).decode("utf-8")
    except Malformed:
        raise BadPriceFile(str(file), 0, f"it has more than {FILE_BYTES_MAX} bytes") from None
    except UnicodeDecodeError:
        raise BadPriceFile(str(file), 0, "it is not UTF-8") from None


def read_prices(text: str, assets: Mapping[str, Asset], name: str = "prices.toml") -> PriceList:
    """Read a price file.

    Raises: BadPriceFile with the line, and the nearest known name for an unknown key.
    """
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise _bad_toml(name, text, str(problem)) from None
    lines = Lines(text)
    try:
        rows = msgspec.convert(content, PriceFile)
    except msgspec.ValidationError as problem:
        raise _bad_shape(name, lines, misfit(PriceFile, problem)) from None
    offers = [_offer(row, i, assets, lines, name) for i, row in enumerate(rows.offer)]
    return _listed(rows, offers, lines, name)


def _offer(row: OfferRow, i: int, assets: Mapping[str, Asset], lines: "Lines", name: str) -> Offer:
    try:
        price = parse_price(row.price, assets)
    except FarthingError as problem:
        raise BadPriceFile(name, lines.of("offer", i, "price"), problem.detail) from None
    used = _usage(row, i, price, assets, lines, name) if row.per else None
    methods = frozenset("GET" if method == "HEAD" else method for method in row.methods)
    try:
        offer = Offer(
            name=row.name or f"{' '.join(sorted(methods))} {row.path}",
            price=price if used is None else Amount(used.units, price.asset),
            path=row.path,
            methods=methods,
            payee=row.payee,
            description=row.description,
            category=row.category,
            valid_from=int(row.valid_from.timestamp()) if row.valid_from else None,
            valid_until=int(row.valid_until.timestamp()) if row.valid_until else None,
            mode=row.mode,
            on_broken=row.on_broken,
            rerun=row.rerun,
            free_for=frozenset(row.free_for),
            bind_body=row.bind_body,
            usage=used,
        )
        PriceList((offer,))
    except BadPrice as problem:
        raise BadPriceFile(name, lines.of("offer", i), problem.detail) from None
    return offer


def _usage(
    row: OfferRow, i: int, price: Amount, assets: Mapping[str, Asset], lines: "Lines", name: str
) -> Usage:
    said = {each: getattr(row, each) for each in USAGE if each != "tiers"}
    tiers = [msgspec.to_builtins(tier) for tier in row.tiers]
    try:
        return usage(price, row.per, assets, tiers=tiers, **said)
    except FarthingError as problem:
        raise BadPriceFile(name, lines.of("offer", i, "per"), problem.detail) from None


def _listed(rows: PriceFile, offers: list[Offer], lines: "Lines", name: str) -> PriceList:
    seller = rows.seller
    for prefix in seller.prefixes:
        if not prefix.startswith("/"):
            what = f"the prefix {prefix!r} starts with /"
            raise BadPriceFile(name, lines.of("seller", 0, "prefixes"), what)
    try:
        return PriceList(tuple(offers), seller.realm, seller.payee, tuple(seller.prefixes))
    except BadPrice as problem:
        line = lines.of("offer", problem.more.get("index", 0))
        raise BadPriceFile(name, line, problem.detail) from None


class Lines:
    """Finds the line on which a table or key of a TOML text stands."""

    def __init__(self, text: str) -> None:
        self._tables: dict[tuple[str, int], int] = {}
        self._keys: dict[tuple[str, int, str], int] = {}
        self._read(text)

    def of(self, table: str, index: int = 0, key: str = "") -> int:
        """Give the line of a key, or else of its table, or else 0."""
        found = self._keys.get((table, index, key)) if key else None
        return found or self._tables.get((table, index)) or self._keys.get(("", 0, table)) or 0

    def _read(self, text: str) -> None:
        table, index, quoted = "", 0, ""
        counts: dict[str, int] = {}
        for number, line in enumerate(text.splitlines(), 1):
            inside = bool(quoted)
            quoted = _still_quoted(line, quoted)
            if inside:
                continue
            if header := _HEADER.fullmatch(line):
                table = header[1].strip("\"' ")
                index = counts.get(table, 0)
                counts[table] = index + 1
                self._tables[table, index] = number
                if table not in ROWS:
                    self._keys.setdefault(("", 0, table), number)
            elif key := _KEY.match(line):
                self._keys.setdefault((table, index, key[1]), number)


def _still_quoted(line: str, quoted: str) -> str:
    """Tell which kind of multi-line string is still open after this line, if any."""
    for mark in ('"""', "'''"):
        if quoted in ("", mark) and line.count(mark) % 2:
            return "" if quoted else mark
    return quoted


def _bad_toml(name: str, text: str, problem: str) -> BadPriceFile:
    place = re.search(r"\(at line (\d+), column \d+\)", problem)
    line = int(place[1]) if place else len(text.splitlines())
    return BadPriceFile(name, line, f"this is not TOML: {problem}")


def _bad_shape(name: str, lines: Lines, fault: Misfit) -> BadPriceFile:
    place = _PLACE.fullmatch(fault.path)
    table, index, key = place.groups(default="") if place else ("", "", "")
    shown = Misfit(key or table, fault.told)
    line = lines.of(table, int(index or 0), key.partition("[")[0])
    return BadPriceFile(name, line, str(shown))


class PriceBook:
    """The price list of a file, read again when the file changes.

    A new file that cannot be used is logged, and the prices before it stay in force. Requests in
    flight keep the offer they met.
    """

    def __init__(self, path: Path, assets: Mapping[str, Asset]) -> None:
        """Read the file for the first time.

        Raises: BadPriceFile.
        """
        self._path = path
        self._assets = dict(assets)
        self._text = self._load()
        self._stamp = self._look()
        self._looked = time.monotonic()
        self._list = read_prices(self._text, self._assets, str(path))
        self.problem: BadPriceFile | None = None

    def current(self) -> PriceList:
        """Give the price list in force, looking at the file at most once a second."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            self.refresh()
        return self._list

    def refresh(self, *, force: bool = False) -> bool:
        """Read the file again if it changed; tell whether new prices are in force.

        Shape: `problem` says why a changed file is not in force, until it is.
        """
        stamp = self._look()
        if stamp == self._stamp and not force:
            return False
        self._stamp = stamp
        try:
            text = self._load()
            if text == self._text and self.problem is None:
                return False
            fresh = read_prices(text, self._assets, str(self._path))
        except BadPriceFile as problem:
            self.problem = problem
            log.error("prices.not_reloaded", why=problem.detail, hint="the old prices stand")
            return False
        self._text, self._list, self.problem = text, fresh, None
        log.info("prices.reloaded", offers=len(fresh.offers))
        return True

    async def watch(self, seconds: float = 1.0) -> None:
        """Follow the file until cancelled; call `refresh(force=True)` on SIGHUP beside it."""
        while True:
            await asyncio.sleep(seconds)
            self.refresh()

    def _load(self) -> str:
        try:
            return price_text(self._path)
        except OSError as problem:
            reason = problem.strerror or "it cannot be read"
            raise BadPriceFile(str(self._path), 0, reason) from None

    def _look(self) -> tuple[Any, ...]:
        try:
            seen = self._path.stat()
        except OSError:
            return ()
        return seen.st_mtime_ns, seen.st_size, seen.st_ino
