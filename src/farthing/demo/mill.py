"""The Mill sells computed results: real arithmetic, done when it is paid for."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

from farthing.demo.web import Page, Route, Routes, as_json
from farthing.web.paywall import Paywall

PRICES = {"factors": "0.0015 USD", "primes": "0.0025 USD", "digest": "0.0004 USD"}
_NUMBER_MAX = 10**12
_SIEVE_MAX = 200_000
_ROUNDS = 2_000


def factorised(number: int) -> list[int]:
    """Split a number into its prime factors."""
    found: list[int] = []
    divisor = 2
    while divisor * divisor <= number:
        while number % divisor == 0:
            found.append(divisor)
            number //= divisor
        divisor += 1 if divisor == 2 else 2
    return [*found, number] if number > 1 else found


def primes_below(limit: int) -> list[int]:
    """Sieve the primes below a limit."""
    sieve = bytearray([1]) * limit
    sieve[:2] = b"\0" * min(2, limit)
    for number in range(2, int(limit**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(sieve[number * number :: number]))
    return [number for number in range(limit) if sieve[number]]


def digested(text: str) -> str:
    """Hash a text two thousand times over."""
    digest = text.encode()
    for _ in range(_ROUNDS):
        digest = hashlib.sha256(digest).digest()
    return digest.hex()


def mill(paywall: Paywall, payee: str, category: str) -> Routes:
    """Give the shop's app: each endpoint has its price beside it."""

    def priced(name: str) -> Callable[[Any], Any]:
        tag = {"payee": payee, "category": category, "name": name}
        return paywall.price(PRICES[name], description=f"{name}, computed for you", **tag)

    @priced("factors")
    async def factors(text: str) -> Page:
        number = _whole(text, _NUMBER_MAX)
        if number is None:
            return _not_a_number(_NUMBER_MAX)
        found = await asyncio.to_thread(factorised, number)
        return as_json({"number": number, "factors": found})

    @priced("primes")
    async def primes(text: str) -> Page:
        limit = _whole(text, _SIEVE_MAX)
        if limit is None:
            return _not_a_number(_SIEVE_MAX)
        found = await asyncio.to_thread(primes_below, limit)
        return as_json({"below": limit, "count": len(found), "largest": max(found, default=None)})

    @priced("digest")
    async def digest(text: str) -> Page:
        found = await asyncio.to_thread(digested, text)
        return as_json({"text": text, "rounds": _ROUNDS, "sha256": found})

    return Routes(
        [Route("/factors/", factors), Route("/primes/", primes), Route("/digest/", digest)]
    )


def _whole(text: str, most: int) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most))):
        return None
    number = int(text)
    return number if 1 < number <= most else None


def _not_a_number(most: int) -> Page:
    # Below 400 is paid for; this is not.
    return as_json({"error": f"give a whole number from 2 to {most}"})._replace(status=400)
