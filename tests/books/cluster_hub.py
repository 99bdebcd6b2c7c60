"""A program that pays into a cluster until it kills itself between two of a commit's steps."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from farthing.books.sql import KeptBy, SqlBooks
from farthing.books.wire import LENGTH, Asked, pack, unpack
from farthing.core.ledger import Transfer
from farthing.store.sqlite import SqliteDatabase
from farthing.testing.worlds import HandClock, World
from farthing.threads import Threads
from tests.clusters import client_of
from tests.conftest import SIGNER
from tests.places import empty_books

PRICE, ORDERS, WAVE = 3, 60, 10
STEPS = ("before it is posted", "after it is posted", "after it is written")


def orders(folder: Path) -> tuple[list[Any], str, str]:
    """Read the orders, and who pays whom, as the program wrote them before it paid."""
    return unpack((folder / "orders").read_bytes()[LENGTH.size :]).arguments


class Trap:
    """A cluster whose client kills its own process at a step, when it has been set."""

    def __init__(self, whole: Any, step: str) -> None:
        self._whole, self._step, self.left = whole, step, -1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)

    def post(self, transfers: Sequence[Transfer]) -> list[int]:
        self.left -= 1
        if self.left == 0 and self._step == STEPS[0]:
            end()
        times = self._whole.post(transfers)
        if self.left == 0 and self._step == STEPS[1]:
            end()
        return times

    def noted(self, _head: Any) -> None:
        if self.left == 0 and self._step == STEPS[2]:
            end()


def end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(folder: Path, address: str, step: str) -> None:
    trap = Trap(client_of(address), step)
    with Threads(1) as readers, Threads(1) as writer, (folder / "told").open("a", 1) as told:
        database = SqliteDatabase(empty_books(folder / "books.db"), readers)
        kept_by = KeptBy(trap, lambda: 77)
        books = SqlBooks(database, lambda: SIGNER, HandClock(), writer, trap.noted, kept_by=kept_by)
        world = World(books, database, HandClock())
        world.begin()
        shop, buyer = await world.account(), await world.spender(10_000)
        units = [world.pay(buyer, shop, PRICE, hold=60 * (i % 2)) for i in range(ORDERS)]
        (folder / "orders").write_bytes(pack(Asked("", (units, buyer.account, shop), 0)))

        async def pay(unit: Any) -> None:
            told.write((await world.do(unit)).payment.id + "\n")

        trap.left = 4
        for start in range(0, ORDERS, WAVE):
            await asyncio.gather(*[pay(unit) for unit in units[start : start + WAVE]])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
