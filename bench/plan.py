"""Which workloads there are, and how they are run on one engine."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench.added_latency import run_added_latency
from bench.batches import run_batches
from bench.ceilings import Ceilings
from bench.drawing import open_sessions, run_vouchers
from bench.engines import config_file, new_hub
from bench.figures import Ceiling, Figure, lowest, median_run, under
from bench.fleet import Fleet, furnish
from bench.fsyncs import fsyncs_per_commit
from bench.judging import RISK, run_judging
from bench.ledger import run_books
from bench.paid_route import run_paid_route
from bench.payments import run_single
from bench.processes import free_port, hub_of, server
from bench.soak import run_soak
from bench.stored import fill
from bench.ticking import ladders, run_ticks
from farthing.core.prices import Mode
from farthing.settings import Config

_DRAWS_MAX = 10_000
SINGLE = {"single-1": 1, "single-16": 16, "single-64": 64}
PAID_ROUTE = "paid-route-64"
BOOKS = {"books-1": 1, "books-100": 100, "books-1000": 1000}
BATCHES = {"batch-100": 100, "signed-batch-1000": 1000}
VOUCHERS, TICKS = "session-vouchers", "ticks"
HOT_SELLER, STORED, SOAK = "hot-seller", "stored-10k", "soak"
ADDED: dict[str, Mode] = {"added-latency": "hold", "added-latency-charge": "charge"}
NAMES = (
    *SINGLE, HOT_SELLER, PAID_ROUTE, *BATCHES, VOUCHERS, TICKS, STORED, *ADDED, *BOOKS, *RISK,
)  # fmt: skip
ALL_NAMES = (*NAMES, SOAK)
"""A soak only runs where it is asked for."""

_ALONE = (STORED, SOAK, *BOOKS)
"""Those that begin with books of their own."""

_STORED, _STORED_MIN = 10_000, 200
_PURCHASES_MAX, _PURCHASES_PER_S = 2_000, 400


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to measure, and how long."""

    names: Sequence[str]
    seconds: float
    runs: int
    devices: int
    accounts: int
    place: Path | None = None


def run_all(engines: Sequence[str], wanted: Wanted, ceilings: Ceilings) -> Iterator[Figure]:
    """Measure all that is wanted, on each engine; judging needs none and is measured once."""
    if any(name not in RISK for name in wanted.names):
        for engine in engines:
            yield from run_engine(engine, wanted, ceilings)
    for name in [name for name in RISK if name in wanted.names]:
        yield run_judging(name, devices=wanted.devices, seconds=wanted.seconds, runs=wanted.runs)


def run_engine(engine: str, wanted: Wanted, ceilings: Ceilings) -> Iterator[Figure]:
    """Measure all that is wanted on one engine."""
    with new_hub(engine, wanted.place) as config:
        fsyncs = fsyncs_per_commit(config)
    for figure in _all(engine, wanted, ceilings):
        figure.fsyncs_per_commit = fsyncs
        yield figure


def _all(engine: str, wanted: Wanted, ceilings: Ceilings) -> Iterator[Figure]:
    if any(name not in (*_ALONE, *RISK) for name in wanted.names):
        with new_hub(engine, wanted.place) as config:
            yield from _payments(config, wanted, ceilings)
    if STORED in wanted.names:
        with new_hub(engine, wanted.place) as config:
            yield _stored(config, wanted, ceilings)
    if SOAK in wanted.names:
        with new_hub(engine, wanted.place) as config:
            fleet = asyncio.run(furnish(config, wanted.devices))
            yield _median(lambda: run_soak(config, fleet, seconds=wanted.seconds), 1, ceilings)
    sizes = [size for name, size in BOOKS.items() if name in wanted.names]
    if sizes:
        with new_hub(engine, wanted.place) as config:
            yield from _books(config, sizes, wanted, ceilings)


def _payments(config: Config, wanted: Wanted, ceilings: Ceilings) -> Iterator[Figure]:
    fleet = asyncio.run(furnish(config, wanted.devices))
    singles = [(name, connections) for name, connections in SINGLE.items() if name in wanted.names]
    for _, connections in singles:
        with hub_of(config) as (hub, port):
            yield _median(
                lambda hub=hub, port=port, count=connections: run_single(
                    config, fleet, hub, port, count, seconds=wanted.seconds
                ),
                wanted.runs,
                ceilings,
            )
    if HOT_SELLER in wanted.names:
        yield _hot_seller(config, fleet, wanted, ceilings)
    if PAID_ROUTE in wanted.names:
        yield _paid_route(config, fleet, wanted, ceilings)
    for each in [each for name, each in BATCHES.items() if name in wanted.names]:
        with hub_of(config) as (hub, port):
            yield _median(
                lambda hub=hub, port=port, each=each: run_batches(
                    config, fleet, hub, port, each, seconds=wanted.seconds
                ),
                wanted.runs,
                ceilings,
                signed_each=each if each == BATCHES["signed-batch-1000"] else 1,
            )
    if VOUCHERS in wanted.names:
        yield _vouchers(config, fleet, wanted, ceilings)
    if TICKS in wanted.names:
        yield _ticks(config, fleet, wanted, ceilings)
    for mode in [mode for name, mode in ADDED.items() if name in wanted.names]:
        purchases = min(_PURCHASES_MAX, max(20, int(wanted.seconds * _PURCHASES_PER_S)))
        yield median_run(
            [
                run_added_latency(config, fleet, purchases=purchases, mode=mode)
                for _ in range(wanted.runs)
            ]
        )


def _hot_seller(config: Config, fleet: Fleet, wanted: Wanted, ceilings: Ceilings) -> Figure:
    with hub_of(config) as (hub, port):
        return _median(
            lambda: run_single(
                config, fleet, hub, port, 64,
                seconds=wanted.seconds, payee=fleet.payees[0], name=HOT_SELLER,
            ),
            wanted.runs,
            ceilings,
        )  # fmt: skip


def _stored(config: Config, wanted: Wanted, ceilings: Ceilings) -> Figure:
    fleet = asyncio.run(furnish(config, wanted.devices))
    stored = min(_STORED, max(_STORED_MIN, wanted.devices * 20))
    asyncio.run(fill(config, fleet, stored))
    with hub_of(config) as (hub, port):
        return _median(
            lambda: run_single(config, fleet, hub, port, 64, seconds=wanted.seconds, name=STORED),
            wanted.runs,
            ceilings,
        )


def _vouchers(config: Config, fleet: Fleet, wanted: Wanted, ceilings: Ceilings) -> Figure:
    sessions = asyncio.run(open_sessions(config, fleet))
    begins = count(0, _DRAWS_MAX)
    with hub_of(config) as (hub, port):
        return _median(
            lambda: run_vouchers(
                config, fleet, sessions, hub, port, seconds=wanted.seconds, begin=next(begins)
            ),
            wanted.runs,
            ceilings,
        )


def _ticks(config: Config, fleet: Fleet, wanted: Wanted, ceilings: Ceilings) -> Figure:
    runs: list[Figure] = []
    for _ in range(wanted.runs):
        rows = ladders(config, fleet, wanted.seconds)
        with hub_of(config) as (hub, port):
            runs.append(run_ticks(config, rows, hub, port, seconds=wanted.seconds))
    return under(median_run(runs), ceilings.hash_steps())


def _paid_route(config: Config, fleet: Fleet, wanted: Wanted, ceilings: Ceilings) -> Figure:
    port = free_port()
    command = ["-m", "bench.shop", str(config_file(config)), str(port), fleet.payees[0]]
    with server(command, port) as hub:
        return _median(
            lambda: run_paid_route(config, fleet, hub, port, seconds=wanted.seconds),
            wanted.runs,
            ceilings,
        )


def _median(
    measure: Callable[[], Figure], runs: int, ceilings: Ceilings, *, signed_each: int = 1
) -> Figure:
    """Measure some times. Shape: one signature covers `signed_each` payments."""
    figure = median_run([measure() for _ in range(runs)])
    each = figure.counted / max(1, figure.commits)
    signed = ceilings.signatures()
    signatures = Ceiling(signed.per_s * signed_each, signed.what)
    return under(figure, lowest(signatures, ceilings.commits(each)))


def _books(
    config: Config, sizes: Sequence[int], wanted: Wanted, ceilings: Ceilings
) -> Iterator[Figure]:
    measured = asyncio.run(
        run_books(config, sizes, accounts=wanted.accounts, seconds=wanted.seconds, runs=wanted.runs)
    )
    for size, runs in measured.items():
        limits: list[Ceiling] = [ceilings.commits(size)]
        if config.books.engine == "sqlite":
            limits.append(ceilings.bare_rows(wanted.accounts, size))
        yield under(median_run(runs), lowest(*limits))
