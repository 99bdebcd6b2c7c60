"""Prices from the hub: the offers that are paid to one account, followed as they change."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import msgspec

from farthing import asking
from farthing.clock import parse_time
from farthing.codec import read_json
from farthing.core.prices import Offer, PriceList
from farthing.core.tariffs import read_tariff
from farthing.core.usage import Usage, measured
from farthing.errors import FarthingError, Malformed
from farthing.log_lines import Log
from farthing.money import Amount, Asset, parse_units

log = Log("prices")

_LOOK_SECONDS = 2.0
_PAGE = 500
_PAGES_MAX = 20


class HubOffers:
    """The price list of a payee's offers. An unusable one leaves the old one in force."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        payee: str,
        assets: Mapping[str, Asset],
        first: Sequence[Mapping[str, Any]],
    ) -> None:
        self._client, self._payee, self._assets = client, payee, assets
        self._list = self._read(first)
        self._looked = time.monotonic()
        self._looking: asyncio.Task[None] | None = None

    def current(self) -> PriceList:
        """Give the price list in force, and look for a newer one now and then."""
        idle = self._looking is None or self._looking.done()
        if idle and time.monotonic() - self._looked >= _LOOK_SECONDS:
            self._looked = time.monotonic()
            self._looking = asyncio.get_running_loop().create_task(self.refresh())
        return self._list

    async def refresh(self) -> None:
        """Ask the hub for the offers as they are now."""
        try:
            self._list = self._read(await self._ask())
        except (FarthingError, httpx.HTTPError) as problem:
            log.error("prices.not_read", why=problem, hint="the old prices stand")

    async def _ask(self) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        cursor = ""
        for _ in range(_PAGES_MAX):
            query = {"limit": str(_PAGE), **({"cursor": cursor} if cursor else {})}
            request = self._client.build_request("GET", "/v1/offers", params=query)
            answer = await asking.ask(self._client, request, asking.LIST_BYTES_MAX)
            page = read_page(answer.raise_for_status().content)
            found += page.items
            cursor = page.next or ""
            if not cursor:
                break
        return found

    def _read(self, shown: Sequence[Mapping[str, Any]]) -> PriceList:
        mine = [
            o
            for o in shown
            if o.get("payee", self._payee) == self._payee and not o.get("withdrawn_at")
        ]
        offers = tuple(offer_of(offer, self._assets) for offer in mine)
        return PriceList(offers, payee=self._payee)


class Page(msgspec.Struct, frozen=True):
    """One page of a list, as the hub answers it."""

    items: list[dict[str, Any]]
    next: str | None = None


def read_page(raw: bytes) -> Page:
    """Read a page of a list.

    Raises: Malformed.
    """
    return _page(read_json(raw))


def read_items(told: Any) -> list[dict[str, Any]]:
    """Give what is on a page of a list that was read before.

    Raises: Malformed.
    """
    return _page(told).items


def _page(told: Any) -> Page:
    try:
        return msgspec.convert(told, Page)
    except msgspec.ValidationError as fault:
        raise Malformed("malformed-page", f"the hub's answer is no list: {fault}") from None


class _Metered(msgspec.Struct, frozen=True):
    """How an offer is metered, as the hub shows it."""

    tariff: dict[str, Any]
    reserve: int
    deposit: str
    lifetime_seconds: int
    grace_seconds: int


class _Shown(msgspec.Struct, frozen=True):
    """An offer as the hub shows it; members that a newer hub adds are passed over."""

    id: str
    amount: str
    asset: str
    path: str
    method: str
    payee: str
    description: str = ""
    category: str = ""
    valid_from: str | None = None
    valid_until: str | None = None
    free_for: frozenset[str] = frozenset()
    metered: _Metered | None = None


def offer_of(told: Mapping[str, Any], assets: Mapping[str, Asset]) -> Offer:
    """Read an offer as the hub shows it.

    Raises: BadPrice, Malformed.
    """
    try:
        shown = msgspec.convert(told, _Shown)
    except msgspec.ValidationError as fault:
        raise Malformed(
            "malformed-offer", f"the hub shows an offer that is none: {fault}"
        ) from None
    if shown.asset not in assets:
        raise Malformed("unknown-asset", f"the hub has an offer in {shown.asset!r}, unknown here")
    used = None if shown.metered is None else _usage(shown.metered, shown.asset)
    units = parse_units(shown.amount) if used is None else used.units
    return Offer(
        name=shown.id,
        price=Amount(units, assets[shown.asset]),
        path=shown.path,
        methods=frozenset({shown.method}),
        payee=shown.payee,
        description=shown.description,
        category=shown.category,
        valid_from=_moment(shown.valid_from),
        valid_until=_moment(shown.valid_until),
        free_for=shown.free_for,
        usage=used,
        in_hub=shown.id,
    )


def _usage(told: _Metered, asset: str) -> Usage:
    tariff = read_tariff(told.tariff)
    if tariff.asset != asset:
        raise Malformed("malformed-offer", "the hub shows an offer whose tariff has another asset")
    return measured(
        tariff,
        reserve=told.reserve,
        deposit=parse_units(told.deposit),
        lifetime_seconds=told.lifetime_seconds,
        grace_seconds=told.grace_seconds,
    )


def _moment(text: str | None) -> int | None:
    return None if text is None else parse_time(text)
