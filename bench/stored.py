"""Payments that are stored already: put into new books through the ledger's own code.

`stored-10k` is `single-64` on books that hold ten thousand payments before it begins.
`python -m bench.stored` does the same beside books of ten million, which are made once in a
folder of your choice, go on where they were broken off, and are used again the next time.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import apsw
import msgspec
from rich.console import Console

from bench.engines import new_hub
from bench.figures import Figure, median_run
from bench.fleet import Fleet, furnish
from bench.kept_fleet import kept_hub
from bench.machine import describe
from bench.payments import run_single
from bench.processes import hub_of
from farthing.app import Hub, open_hub
from farthing.core.devices import DEVICES, Device
from farthing.core.orders import SignedOrder
from farthing.core.paying import Authorise
from farthing.errors import FarthingError, InvariantBroken
from farthing.settings import Config
from farthing.store.queries import one

_AT_ONCE = 500
Told = Callable[[int], None]


async def fill(config: Config, fleet: Fleet, count: int, told: Told = lambda _done: None) -> None:
    """Make this many payments, each by its device's order, without HTTP and checked signatures."""
    hub = await open_hub(config)
    try:
        devices = await _devices(hub, fleet)
        for done in range(0, count, _AT_ONCE):
            some = fleet.orders(min(_AT_ONCE, count - done))
            await _pay(hub, devices, fleet, some)
            told(done + len(some))
    finally:
        await hub.close()


async def _devices(hub: Hub, fleet: Fleet) -> dict[str, Device]:
    names = [spender.device for spender in fleet.spenders]
    found = await hub.ctx.database.read(lambda tx: [one(tx, DEVICES, name) for name in names])
    return {device.id: device for device in found if device is not None}


async def _pay(
    hub: Hub, devices: dict[str, Device], fleet: Fleet, orders: Sequence[SignedOrder]
) -> None:
    units: list[Authorise] = []
    for signed in orders:
        device = devices[signed.order.device]
        key = device.keys[0].public
        units.append(Authorise(signed, key, device, fleet.hub, 60, capture=True, serves=False))
    for answer in await hub.books.commit(units):
        if isinstance(answer, FarthingError):
            raise answer
        if answer.answer.payment.captured == 0:
            raise InvariantBroken("bench", "a payment that was to be stored was refused")


def parser() -> argparse.ArgumentParser:
    """Describe the arguments."""
    made = argparse.ArgumentParser("bench.stored", description="Pay beside millions of payments.")
    made.add_argument("--payments", type=int, default=10_000_000, help="how many are stored [10M]")
    made.add_argument("--few", type=int, default=10_000, help="how many the small ones have [10k]")
    made.add_argument("--folder", type=Path, default=Path("build/bench-stored"), help="kept there")
    made.add_argument("--runs", type=int, default=5, help="of each, taking turns [5]")
    made.add_argument("--seconds", type=float, default=5, help="how long each run takes [5]")
    made.add_argument("--devices", type=int, default=2_000, help="how many devices pay [2000]")
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


def main() -> None:
    """Make the large books where they are not there yet; then measure both, taking turns."""
    asked, console = parser().parse_args(), Console(stderr=True)
    config, fleet = kept_hub(asked.folder, asked.devices)
    missing = asked.payments - _stored(config)
    if missing > 0:
        asyncio.run(fill(config, fleet, missing, _progress(console, missing)))
    with new_hub("sqlite") as small:
        few = asyncio.run(furnish(small, asked.devices))
        asyncio.run(fill(small, few, asked.few))
        figures = _compared([("stored-10k", small, few), ("stored-10m", config, fleet)], asked)
    size = config.path(config.books.path).stat().st_size / 1e9
    ratio = figures[1].rate_per_s / figures[0].rate_per_s
    stored = _stored(config)
    if asked.json:
        members = {"machine": describe(), "figures": [msgspec.to_builtins(f) for f in figures]}
        print(json.dumps({**members, "payments": stored, "gigabytes": size, "ratio": ratio}))
        return
    for figure in figures:
        rates = ", ".join(f"{rate:,.0f}" for rate in figure.runs_per_s)
        print(f"{figure.name}: {figure.rate_per_s:,.0f}/s ({rates}), {figure.cpu_us_each:.0f} µs")
    print(f"with {stored:,} payments in {size:.2f} GB: {ratio:.2f} of the speed with 10,000")


def _compared(
    places: Sequence[tuple[str, Config, Fleet]], asked: argparse.Namespace
) -> list[Figure]:
    runs: dict[str, list[Figure]] = {name: [] for name, _, _ in places}
    for _ in range(asked.runs):
        for name, config, fleet in places:
            with hub_of(config) as (hub, port):
                runs[name].append(
                    run_single(config, fleet, hub, port, 64, seconds=asked.seconds, name=name)
                )
    return [median_run(measured) for measured in runs.values()]


def _stored(config: Config) -> int:
    with apsw.Connection(str(config.path(config.books.path)), apsw.SQLITE_OPEN_READONLY) as books:
        return int(books.execute("SELECT count(*) FROM payments").fetchall()[0][0])


def _progress(console: Console, missing: int) -> Told:
    began, said = time.monotonic(), [0.0]

    def told(done: int) -> None:
        now = time.monotonic()
        if now - said[0] > 10 or done == missing:
            said[0] = now
            rate = done / (now - began)
            left = (missing - done) / rate / 60
            console.print(f"{done:,} of {missing:,} payments, {rate:,.0f}/s, {left:.0f} min left")

    return told


if __name__ == "__main__":
    main()
