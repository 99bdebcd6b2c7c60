"""The loop that every peer's payer runs: so many at a time, each one after the other, for a while.

It uses the standard library alone, so that it runs in every peer's environment. It says `go` when
it is warm, waits for a line, pays, and prints what it saw as JSON.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence

Pay = Callable[[], Awaitable[None]]
"""Pays once, or raises."""


class _Heard:
    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.refused = 0
        self.first_refusal = ""


async def _go_on(pay: Pay, until: float, heard: _Heard) -> None:
    while (began := time.perf_counter()) < until:
        try:
            await pay()
        except Exception as fault:
            heard.refused += 1
            heard.first_refusal = heard.first_refusal or f"{type(fault).__name__}: {fault}"[:1000]
        else:
            heard.latencies.append(time.perf_counter() - began)


async def run(payers: Sequence[Pay], seconds: float, warmups: int = 2) -> None:
    """Warm up, then pay for some seconds with all payers side by side."""
    for pay in payers:
        for _ in range(warmups):
            await pay()
    print("go", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    heard, began, cpu = _Heard(), time.perf_counter(), time.process_time()
    await asyncio.gather(*(_go_on(pay, began + seconds, heard) for pay in payers))
    told = {
        "latencies": heard.latencies,
        "seconds": time.perf_counter() - began,
        "refused": heard.refused,
        "cpu_seconds": time.process_time() - cpu,
        "first_refusal": heard.first_refusal,
    }
    print(json.dumps(told), flush=True)
