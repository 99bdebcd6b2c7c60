"""Moving books to a database beside a cluster, from each engine; what was broken off goes on."""

import pytest

from farthing.books.sql import KeptBy, SqlBooks
from farthing.errors import BadConfig, Unavailable
from farthing.services.audit import audit
from farthing.services.moving import (
    check_same,
    copy_tables,
    post_all,
    sheet_of,
    sheet_of_cluster,
)
from farthing.store.closing import check_open, close_books, reopen_books
from farthing.store.postgres import PostgresDatabase
from farthing.testing.worlds import World
from farthing.threads import Threads
from tests.books.test_cluster import DAY, Disturbed
from tests.clusters import any_cluster
from tests.conftest import SIGNER, fresh_dsn

pytestmark = pytest.mark.postgres


def unheard(_done, _of):
    """Tell nobody how far it is."""


@pytest.fixture
def target(postgres_server, readers):
    with fresh_dsn(postgres_server) as dsn:
        database = PostgresDatabase(dsn, readers)
        yield database
        database.close()


async def test_books_moved_beside_a_cluster_go_on_there(world, database, target, clock):
    buyer, shop = await world.spender(1000, DAY), await world.account()
    await world.do(world.pay(buyer, shop, 30))
    await world.do(world.pay(buyer, shop, 20, hold=600))
    cluster, before = Disturbed(any_cluster()), database.transact(sheet_of)
    copy_tables(database, target, unheard)
    assert target.transact(sheet_of) == before
    cluster.loses, cluster.times = "the answer", 1
    with pytest.raises(Unavailable):
        post_all(target, cluster, 77, unheard)
    post_all(target, cluster, 77, unheard)
    check_same(before, sheet_of_cluster(cluster))
    with pytest.raises(BadConfig, match="already"):
        copy_tables(database, target, unheard)
    with Threads(1) as writer:
        books = SqlBooks(target, lambda: SIGNER, clock, writer, kept_by=KeptBy(cluster, lambda: 78))
        there = World(books, target, clock, seed=1)
        assert (await there.do(there.pay(buyer, shop, 5))).fresh
        assert await there.available(shop) == 35
        assert (await audit(target, None, cluster=cluster)).text == "ok"
        await books.close()


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_closed_books_take_nothing_from_any_hub_until_they_are_reopened(
    world, second_hub, database, postgres_dsn, readers
):
    buyer, shop = await world.spender(1000, DAY), await world.account()
    assert (await second_hub.do(second_hub.pay(buyer, shop, 30))).fresh
    database.transact(check_open)
    assert database.transact(close_books)
    for hub in (world, second_hub, world, second_hub):
        with pytest.raises(Unavailable) as refused:
            await hub.do(hub.pay(buyer, shop, 5))
        assert refused.value.code == "books-moved"
    with pytest.raises(Unavailable, match="moved elsewhere"):
        await database.use_once(b"a key", 1, 2, 1)
    late = PostgresDatabase(postgres_dsn, readers)
    with pytest.raises(Unavailable, match="moved elsewhere"):
        late.transact(check_open)
    late.close()
    assert not database.transact(close_books), "they were closed before"
    assert (await audit(database, None)).text == "ok"
    assert database.transact(reopen_books)
    assert not database.transact(reopen_books)
    assert (await second_hub.do(second_hub.pay(buyer, shop, 5))).fresh
    assert await world.available(shop) == 35
