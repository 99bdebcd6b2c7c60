"""An owner who floods the books waits for itself: others have their turn, and find room."""

import asyncio

import pytest

from farthing.books import sql
from farthing.errors import TooMuch, Unavailable
from tests.books.units import Say


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request) -> str:
    """Shares are the queue's, and how much is given ahead to a process is not their matter."""
    return request.param


async def test_one_unit_is_not_behind_thousands_of_another_owner(books):
    flood = asyncio.ensure_future(books.commit([Say("x")] * 4000, "flooding"))
    await asyncio.sleep(0)
    done = await books.commit_one(Say("mine"), "honest")
    assert done.proof.head.number <= 2
    assert not flood.done()
    assert len(await flood) == 4000


async def test_parties_that_flood_alike_are_served_alike(books):
    first = asyncio.ensure_future(books.commit_one(Say("first")))  # All queue behind it.
    await asyncio.sleep(0)
    waits = [asyncio.ensure_future(books.commit([Say(n)] * 1500, n)) for n in "abc"]
    last = [done[-1].proof.head.number for done in await asyncio.gather(*waits)]
    assert max(last) - min(last) <= 1
    assert (await first).proof.head.number == 1


async def test_each_partys_units_stay_in_order(books):
    names = [f"owner-{n}" for n in range(5)]
    doings = [books.commit([Say(f"{n}.{i}") for i in range(300)], n) for n in names]
    for done in await asyncio.gather(*doings):
        places = [(d.proof.head.number, d.proof.index) for d in done]
        assert places == sorted(places)


async def test_one_party_cannot_fill_the_books_and_others_go_on(books):
    flood = asyncio.ensure_future(books.commit([Say("x")] * (sql.QUEUE_MAX // 2), "flooding"))
    await asyncio.sleep(0)
    more = asyncio.ensure_future(books.commit([Say("y")] * sql.BATCH_MAX, "flooding"))
    await asyncio.sleep(0)
    with pytest.raises(TooMuch) as refused:
        await books.commit([Say("z")] * sql.BATCH_MAX, "flooding")
    assert refused.value.problem()["status"] == 429
    assert (await books.commit_one(Say("mine"), "honest")).answer == "mine"
    flood.cancel()
    more.cancel()


async def test_full_books_are_full_for_everybody_and_that_is_503(books):
    sizes = (sql.QUEUE_MAX // 2, sql.QUEUE_MAX // 4, sql.QUEUE_MAX // 4)
    floods = [
        asyncio.ensure_future(books.commit([Say("x")] * size, f"flooding-{n}"))
        for n, size in enumerate(sizes)
    ]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as refused:
        await books.commit([Say("x")] * (sql.BATCH_MAX + 1), "honest")
    assert (refused.value.code, refused.value.status) == ("books-busy", 503)
    for flood in floods:
        flood.cancel()
