"""What the books remember of accounts holds only while nobody else writes."""

import apsw

from farthing.books.sql import SqlBooks
from farthing.core.payments import State
from farthing.core.refusals import Refusal
from farthing.store.migrate import migrate
from farthing.store.sqlite import SqliteDatabase
from farthing.testing.worlds import HandClock, World
from farthing.threads import Threads
from tests.conftest import SIGNER


async def test_a_balance_that_somebody_else_wrote_is_the_one_that_counts(tmp_path, readers):
    database = SqliteDatabase(tmp_path / "books.db", readers)
    migrate(database)
    clock = HandClock()
    with Threads(1) as writer:
        world = World(SqlBooks(database, lambda: SIGNER, clock, writer), database, clock)
        world.begin()
        spender, payee = await world.spender(100), await world.account()
        assert (await world.do(world.pay(spender, payee, 10))).payment.state is State.CAPTURED
        with apsw.Connection(str(tmp_path / "books.db")) as other:
            other.execute("UPDATE balances SET debits_posted = 95 WHERE debits_posted = 10")
        refused = (await world.do(world.pay(spender, payee, 10))).payment
    database.close()
    assert (refused.state, refused.reason) == (State.REFUSED, Refusal.INSUFFICIENT_FUNDS)
