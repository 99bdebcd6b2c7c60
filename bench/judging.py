"""`risk-1` and `risk-1000`: orders are judged by the rules as they come, alone and in batches.

No hub and no engine: what is measured is what a judgement adds to a payment, in memory, with what
is known kept up to date. Devices pay three sellers each, from a place of their own; one order in a
hundred goes to a seller that its device may never have paid. The ceiling is a loop over the same
orders that does nothing. `refused` counts what the rules would have asked about or stopped. CPU µs
each are this thread's own: 50 alone and 10 in batches are the limits, however busy the machine is.
"""

import random
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise

from bench.figures import Ceiling, Figure, median_run, percentile, under
from farthing.core.judgements import Act, Ordered
from farthing.risk.orders import Risk
from farthing.risk.settings import read_risk

RISK = {"risk-1": 1, "risk-1000": 1000}
_BEGAN = 1_790_000_000
_PER_SECOND = 50
_SELLERS = 500
_HABITS = 30
"""How many payments each device made before one measures."""


def run_judging(name: str, *, devices: int, seconds: float, runs: int) -> Figure:
    """Judge orders, as many together as the workload's name says."""
    return median_run([_run(name, devices, seconds) for _ in range(runs)])


def _run(name: str, devices: int, seconds: float) -> Figure:
    each = RISK[name]
    orders = _orders(devices)
    risk = read_risk({})
    risk.judge_each([next(orders) for _ in range(devices * _HABITS)])
    taken: list[float] = []
    asked, cpu_s = 0, 0.0
    batch: list[Ordered] = []
    while sum(taken) < seconds:
        batch = [next(orders) for _ in range(1000)]
        began_cpu = time.thread_time()
        more, acts = _alone(risk, batch) if each == 1 else _together(risk, batch)
        cpu_s += time.thread_time() - began_cpu
        taken += more
        asked += sum(act is not Act.ALLOW for act in acts)
    each_s = sum(taken) / (len(taken) * each)
    figure = Figure(
        name=name,
        engine="none",
        rate_per_s=1 / each_s,
        p50_ms=percentile(sorted(taken), 0.5) * 1000,
        p99_ms=percentile(sorted(taken), 0.99) * 1000,
        cpu_us_each=cpu_s / (len(taken) * each) * 1e6,
        counted=len(taken) * each,
        per_commit=each,
        refused=asked,
    )
    return under(figure, _empty_loop(batch))


def _alone(risk: Risk, batch: Sequence[Ordered]) -> tuple[list[float], list[Act]]:
    acts: list[Act] = []
    ends = [time.perf_counter()]
    for ordered in batch:
        act = risk.judge(ordered).act
        risk.keep(ordered, paid=act is Act.ALLOW)
        acts.append(act)
        ends.append(time.perf_counter())
    return [end - start for start, end in pairwise(ends)], acts


def _together(risk: Risk, batch: Sequence[Ordered]) -> tuple[list[float], list[Act]]:
    started = time.perf_counter()
    judged = risk.judge_each(batch)
    return [time.perf_counter() - started], [one.act for one in judged]


def _empty_loop(batch: Sequence[Ordered]) -> Ceiling:
    rounds = 20
    started = time.perf_counter()
    for _ in range(rounds):
        for _ in batch:
            pass
    return Ceiling(rounds * len(batch) / (time.perf_counter() - started), "an empty loop")


def _orders(devices: int) -> Iterator[Ordered]:
    """Draw orders without end, at a steady pace."""
    dice = random.Random(1)
    sellers = [[dice.randrange(_SELLERS) for _ in range(3)] for _ in range(devices)]
    for number in range(10**12):
        device = dice.randrange(devices)
        seller = dice.randrange(_SELLERS) if dice.random() < 0.01 else dice.choice(sellers[device])
        yield Ordered(
            f"dev_{device}",
            f"acc_{seller}",
            dice.randrange(1000, 2000),
            _BEGAN + number // _PER_SECOND,
            "Europe/Berlin",
            f"place {device}",
        )
