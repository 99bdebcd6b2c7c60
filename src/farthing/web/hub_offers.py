"""Prices from the hub: the offers that are paid to one account, followed as they change."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from farthing.clock import parse_time
from farthing.core.prices import Offer, PriceList
from farthing.errors import FarthingError
from farthing.money import Amount, Asset, parse_units

log = logging.getLogger("farthing.prices")

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
        except (FarthingError, httpx.HTTPError, KeyError, TypeError, ValueError) as problem:
            log.error("offers not read, the old prices stand: %s", problem)

    async def _ask(self) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        cursor = ""
        for _ in range(_PAGES_MAX):
            query = {"limit": str(_PAGE), **({"cursor": cursor} if cursor else {})}
            answer = (await self._client.get("/v1/offers", params=query)).raise_for_status().json()
            found += answer["items"]
            cursor = answer["next"]
            if not cursor:
                break
        return found

    def _read(self, shown: Sequence[Mapping[str, Any]]) -> PriceList:
        mine = [o for o in shown if o["payee"] == self._payee and o["withdrawn_at"] is None]
        offers = tuple(offer_of(offer, self._assets) for offer in mine)
        return PriceList(offers, payee=self._payee)


def offer_of(shown: Mapping[str, Any], assets: Mapping[str, Asset]) -> Offer:
    """Read an offer as the hub shows it.

    Raises: BadPrice, Malformed, KeyError.
    """
    return Offer(
        name=shown["id"],
        price=Amount(parse_units(shown["amount"]), assets[shown["asset"]]),
        path=shown["path"],
        methods=frozenset({shown["method"]}),
        payee=shown["payee"],
        description=shown["description"],
        category=shown["category"],
        valid_from=_moment(shown["valid_from"]),
        valid_until=_moment(shown["valid_until"]),
        free_for=frozenset(shown["free_for"]),
    )


def _moment(text: str | None) -> int | None:
    return None if text is None else parse_time(text)
