"""The audit streams: what it holds in memory does not grow with the number of transfers."""

import tracemalloc

from farthing import ids
from farthing.core.accounts import TransferCode
from farthing.core.ledger import Transfer
from farthing.services.audit import audit
from farthing.store.migrate import migrate
from farthing.store.sqlite import SqliteDatabase
from farthing.testing.worlds import World
from tests.books.units import Move
from tests.conftest import SIGNER


async def test_memory_goes_by_accounts_and_not_by_transfers(
    tmp_path, readers, writer_thread, clock
):
    from farthing.books.sql import SqlBooks

    database = SqliteDatabase(tmp_path / "books.db", readers)
    migrate(database)
    world = World(SqlBooks(database, lambda: SIGNER, clock, writer_thread), database, clock)
    world.begin()
    one, two = [ids.number("acc", await world.account(units=10)) for _ in range(2)]

    async def move(times):
        for _ in range(times):
            chain = tuple(
                Transfer(world.fresh(), *sides, 1, 1, TransferCode.PAYMENT)
                for _ in range(250)
                for sides in ((one, two), (two, one))
            )
            await world.do(Move("{}", chain=chain, then=lambda _results: _said()))

    await move(12)
    few, peak_of_few = await _peak(database)
    await move(36)
    many, peak_of_many = await _peak(database)
    assert many > 3.9 * few
    assert peak_of_many < 1.2 * peak_of_few
    database.close()


def _said():
    from farthing.core.decisions import Outcome

    return Outcome(None)


async def _peak(database):
    tracemalloc.start()
    try:
        report = await audit(database, None)
        return report.transfers, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
