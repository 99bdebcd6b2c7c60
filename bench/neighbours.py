"""`python -m bench.neighbours`: how long one owner's payment takes while another one floods.

The flood comes from a process of its own, which never lets up; one payment after the other is
made beside it, by a device of somebody else, and each is timed.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable, Generator, Mapping

import msgspec

from bench.figures import percentile
from bench.fleet import Spender, sign
from bench.flood_kinds import Aim, asked, connected, hold
from bench.floods import serving
from bench.machine import describe
from bench.payments import request
from farthing.keys import Ed25519Signer

OWNERS_DEVICES = 100
"""So many devices of the fleet are of the one who floods; the last one is somebody else's."""

_STREAMS = 80
_CONNECTIONS = 64


class Waited(msgspec.Struct, frozen=True, kw_only=True):
    """How long one owner's payments took beside a flood. Units: ms."""

    beside: str
    payments: int
    p50_ms: float
    p90_ms: float
    worst_ms: float


async def _for_ever(aim: Aim, connections: int, write: Callable[[int], bytes]) -> None:
    async def go_on(first: int) -> None:
        number = first
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                async with connected(aim, "127.0.0.1") as wire:
                    while True:
                        number += connections
                        await asked(wire, write(number))

    await asyncio.gather(*(go_on(n) for n in range(connections)))


def _payment(aim: Aim, spender: Spender) -> bytes:
    return request(sign(aim.fleet.hub, spender, aim.fleet.payees[0], ""))


async def payments(aim: Aim) -> None:
    """Pay, with good signatures, on many connections."""
    devices = aim.fleet.spenders[:OWNERS_DEVICES]
    await _for_ever(aim, _CONNECTIONS, lambda n: _payment(aim, devices[n % OWNERS_DEVICES]))


async def forgeries(aim: Aim) -> None:
    """Have signatures checked that do not hold, in the name of one's own devices."""
    names = [spender.device for spender in aim.fleet.spenders[:OWNERS_DEVICES]]
    forged = [_payment(aim, Spender(name, Ed25519Signer(bytes(32)))) for name in names]
    await _for_ever(aim, _CONNECTIONS, lambda n: forged[n % OWNERS_DEVICES])


async def streams(aim: Aim) -> None:
    """Follow the events many times over, and pay, so that there are some."""
    follow = aim.head("GET", "/v1/events", aim.bearer)
    paying = asyncio.create_task(payments(aim))
    await hold(dataclasses.replace(aim, held_seconds=3600), _STREAMS, follow)
    await paying


async def lists(aim: Aim) -> None:
    """Ask for long lists, over and over."""
    await _for_ever(
        aim, _CONNECTIONS, lambda _: aim.head("GET", "/v1/payments?limit=500", aim.bearer)
    )


FLOODS: Mapping[str, Callable[[Aim], Awaitable[None]]] = {
    "payments on 64 connections": payments,
    "wrong signatures on 64 connections": forgeries,
    "80 event streams, and payments on 64 connections": streams,
    "lists of 500 payments on 64 connections": lists,
}


@contextlib.contextmanager
def flooding(aim: Aim, flood: Callable[[Aim], Awaitable[None]]) -> Generator[None]:
    """Let another process flood meanwhile."""

    def run() -> None:
        asyncio.run(flood(aim))  # pyright: ignore[reportArgumentType]

    process = multiprocessing.get_context("fork").Process(target=run, daemon=True)
    process.start()
    try:
        time.sleep(1)
        yield
    finally:
        process.kill()
        process.join()


async def timed(aim: Aim, beside: str, seconds: float) -> Waited:
    """Pay one after the other for some seconds, as somebody whom all this is no business of."""
    took: list[float] = []
    ends = time.perf_counter() + seconds
    async with connected(aim, "127.0.0.1") as wire:
        while time.perf_counter() < ends:
            order = _payment(aim, aim.fleet.spenders[-1])
            began = time.perf_counter()
            head = await asked(wire, order, seconds=60)
            took.append((time.perf_counter() - began) * 1000)
            if b" 200 " not in head.partition(b"\r\n")[0]:
                raise RuntimeError(f"beside {beside} a payment was refused: {head!r}")
    took.sort()
    return Waited(
        beside=beside,
        payments=len(took),
        p50_ms=round(statistics.median(took), 1),
        p90_ms=round(percentile(took, 0.9), 1),
        worst_ms=round(took[-1], 1),
    )


def all_waits(seconds: float) -> Generator[Waited]:
    """Time payments beside nothing, and beside each flood."""
    with serving("hub", devices=OWNERS_DEVICES + 1) as (aim, _):
        yield asyncio.run(timed(aim, "nothing", seconds))
        for name, flood in FLOODS.items():
            with flooding(aim, flood):
                yield asyncio.run(timed(aim, name, seconds))


def main() -> None:
    """Print what was measured, as JSON."""
    made = argparse.ArgumentParser("bench.neighbours", description=(__doc__ or "").split("\n")[0])
    made.add_argument("--seconds", type=float, default=10, help="beside each flood [10]")
    result = {"machine": describe(), "waited": list(all_waits(made.parse_args().seconds))}
    print(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())


if __name__ == "__main__":
    main()
