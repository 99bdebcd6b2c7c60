"""The fleet: each device buys one thing after the other, and goes on when it is refused."""

import asyncio
import contextlib
import itertools
import time

import httpx

from farthing.demo.cast import FACTORS, MILL, PRIMES, Item, Part
from farthing.demo.tally import Tally
from farthing.demo.web import trust
from farthing.device.client import Client, paid
from farthing.device.outcomes import AwaitingOwner
from farthing.device.patience import Patience
from farthing.device.purse import Purse
from farthing.errors import FarthingError, PaymentRefused

_ASK_AGAIN_SECONDS = 0.3
_REFUSED_PACES = 2.5
_OWN_CAP = "1 USD"
"""The devices' own limit is out of the way: here the mandates are on show."""


class Buyer:
    """One device at work with the purse it was enrolled with."""

    def __init__(self, part: Part, purse: Purse, shops: dict[str, str], tally: Tally) -> None:
        self._part, self._shops, self._tally = part, shops, tally
        patience = Patience(attempts=3, total_seconds=5.0)
        self._client = Client(
            purse,
            cap=_OWN_CAP,
            prefer=part.language,
            patience=patience,
            transport=httpx.AsyncHTTPTransport(verify=trust()),
        )

    async def live(self, stop: asyncio.Event, after_seconds: float) -> None:
        """Buy until told to stop; a purchase under way is finished."""
        async with self._client:
            await pause(stop, after_seconds)
            for item in itertools.cycle(self._part.wants):
                if stop.is_set():
                    return
                served = await self._buy(item, stop)
                paces = 1.0 if served else _REFUSED_PACES
                await pause(stop, self._part.pace_seconds * paces)

    async def _buy(self, item: Item, stop: asyncio.Event) -> bool:
        """Buy one thing; while an owner is asked, the same request goes on with it."""
        url, who, (shop, what) = self._url(item), self._part.name, item
        asked = False
        while not stop.is_set() or not asked:
            began = time.perf_counter()
            try:
                answer = await self._client.get(url)
            except AwaitingOwner:
                if not asked:
                    self._tally.asking(who, shop, what)
                asked = True
                await pause(stop, _ASK_AGAIN_SECONDS)
                continue
            except PaymentRefused as no:
                self._tally.not_paid(who, shop, what, no.code)
                return False
            except (FarthingError, httpx.HTTPError) as trouble:
                self._tally.trouble(who, f"{shop} {what}: {trouble or type(trouble).__name__}")
                return False
            took_ms = (time.perf_counter() - began) * 1000
            return self._served(item, answer, None if asked else took_ms)
        return False

    def _served(self, item: Item, answer: httpx.Response, latency_ms: float | None) -> bool:
        (shop, what), proof = item, paid(answer)
        if proof is None or answer.is_error:
            self._tally.trouble(self._part.name, f"{shop} {what}: answered {answer.status_code}")
            return False
        self._tally.paid(self._part.name, shop, what, proof, latency_ms)
        return True

    def _url(self, item: Item) -> str:
        shop, what = item
        if shop != MILL:
            return f"{self._shops[shop]}/{what}"
        # Something else each time, so that there is something to compute.
        moment = time.time_ns() // 1000
        numbers = {FACTORS: 10**9 + moment % 10**9, PRIMES: 20_000 + moment % 30_000}
        return f"{self._shops[shop]}/{what}/{numbers.get(item, moment)}"


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait that long, or until it is time to stop."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
