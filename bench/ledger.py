"""`books-*`: the ledger alone. Single transfers between 100,000 accounts, chosen uniformly.

One batch is one unit of that many transfers, each judged by itself; the next batch is put in
when the one before is on disk. Every transfer is checked, threaded through both accounts'
history, covered by the signed head of its commit, and durable before it counts.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.figures import Figure, percentile
from farthing import ids
from farthing.app import Hub, open_hub
from farthing.books.base import Outcome, Plan, View
from farthing.core.ledger import Account, Transfer, TransferResult
from farthing.core.records import Read
from farthing.errors import ensure
from farthing.settings import Config

LEDGER = 1
_CODE = 1
_CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class OpenMany:
    """Open accounts in the ledger, as many as there are ids."""

    idents: Sequence[int]
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, _view: View) -> Plan[None]:
        """Open them all."""
        opened = [Account(ident, LEDGER, _CODE) for ident in self.idents]
        return Plan(lambda _results: Outcome(None), opened)


@dataclass(frozen=True, slots=True)
class MoveMany:
    """Make single transfers, each for itself; the answer counts those that were made."""

    transfers: Sequence[Transfer]
    reads: Sequence[Read] = ()

    @property
    def accounts(self) -> Sequence[int]:
        """Both sides of each."""
        return [side for t in self.transfers for side in (t.debit_account_id, t.credit_account_id)]

    def plan(self, _view: View) -> Plan[int]:
        """Make them."""
        return Plan(_count_made, chains=[self.transfers])


def _count_made(results: list[list[TransferResult]]) -> Outcome[int]:
    return Outcome(sum(result is TransferResult.CREATED for result in results[0]))


class Traffic:
    """Transfers between accounts of one ledger, the same ones for the same seed."""

    def __init__(self, accounts: int, seed: int = 1) -> None:
        self._dice = random.Random(seed)
        now_ms = time.time_ns() // 1_000_000
        self.accounts = sorted(
            ids.fresh(now_ms - i % 1000, self._dice.getrandbits) for i in range(accounts)
        )

    def batch(self, size: int) -> MoveMany:
        """Make the next transfers."""
        now_ms = time.time_ns() // 1_000_000
        made: list[Transfer] = []
        for _ in range(size):
            debit, credit = self._dice.sample(self.accounts, 2)
            ident = ids.fresh(now_ms, self._dice.getrandbits)
            made.append(Transfer(ident, debit, credit, 1 + self._dice.getrandbits(10), LEDGER, 1))
        return MoveMany(made)


async def run_books(
    config: Config, sizes: Sequence[int], *, accounts: int, seconds: float, runs: int
) -> dict[int, list[Figure]]:
    """Measure batches of each size, several times over, on books that they share."""
    hub = await open_hub(config)
    try:
        traffic = Traffic(accounts)
        for start in range(0, accounts, _CHUNK):
            await hub.books.commit_one(OpenMany(traffic.accounts[start : start + _CHUNK]))
        for _ in range(5):
            await hub.books.commit_one(traffic.batch(1000))
        figures: dict[int, list[Figure]] = {size: [] for size in sizes}
        for size in sizes:
            for _ in range(runs):
                figures[size].append(await _measure(hub, traffic, size, seconds))
        return figures
    finally:
        await hub.close()


async def _measure(hub: Hub, traffic: Traffic, size: int, seconds: float) -> Figure:
    taken: list[float] = []
    cpu = 0.0
    commits = hub.books.commits
    await asyncio.sleep(0)
    while sum(taken) < seconds:
        batch = traffic.batch(size)
        cpu_before, started = time.process_time(), time.perf_counter()
        done = await hub.books.commit_one(batch)
        taken.append(time.perf_counter() - started)
        cpu += time.process_time() - cpu_before
        ensure(done.answer == size, "every transfer of the measurement is made")
    counted, commits = len(taken) * size, hub.books.commits - commits
    latencies = sorted(taken)
    return Figure(
        name=f"books-{size}",
        engine=hub.ctx.database.dialect,
        rate_per_s=round(counted / sum(taken), 1),
        p50_ms=round(percentile(latencies, 0.5) * 1000, 2),
        p99_ms=round(percentile(latencies, 0.99) * 1000, 2),
        cpu_us_each=round(cpu / counted * 1e6, 1),
        counted=counted,
        commits=commits,
        per_commit=round(counted / max(1, commits), 1),
    )
