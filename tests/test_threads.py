"""Threads that work for an event loop: in order, to the end, and whatever comes of it."""

import asyncio
import gc
import threading
import weakref

import pytest

from farthing.errors import Unavailable
from farthing.threads import Threads


async def test_what_is_handed_over_is_done_on_another_thread_and_its_result_comes_back():
    with Threads(1, "hand") as threads:
        name = await threads.run(lambda: threading.current_thread().name)
        assert name == "hand_0"
        assert await threads.run(divmod, 17, 5) == (3, 2)


async def test_a_fault_comes_back_to_who_waits_and_the_thread_goes_on():
    with Threads(1) as threads:
        with pytest.raises(ZeroDivisionError):
            await threads.run(divmod, 1, 0)
        with pytest.raises(SystemExit):
            await threads.run(exit)
        assert await threads.run(int) == 0


async def test_one_thread_does_its_work_in_order():
    done = []
    with Threads(1) as threads:
        await asyncio.gather(*(threads.run(done.append, i) for i in range(100)))
    assert done == list(range(100))


async def test_two_threads_work_side_by_side():
    meeting = threading.Barrier(2)
    with Threads(2) as threads:
        await asyncio.gather(*(threads.run(meeting.wait, 20) for _ in range(2)))


async def test_what_was_cancelled_before_its_turn_is_not_done():
    done, go_on = [], threading.Event()
    with Threads(1) as threads:
        busy, given_up = threads.run(go_on.wait), threads.run(done.append, "given up")
        given_up.cancel()
        go_on.set()
        await busy
        await threads.run(done.append, "wanted")
    assert done == ["wanted"]


async def test_who_closes_waits_for_what_was_handed_over_and_hands_nothing_over_any_more():
    threads = Threads(2)
    go_on = threading.Event()
    late = [threads.run(go_on.wait, 20) for _ in range(5)]
    threading.Timer(0.05, go_on.set).start()
    await asyncio.to_thread(threads.close)
    assert await asyncio.gather(*late) == [True] * 5
    with pytest.raises(Unavailable) as refused:
        threads.run(int)
    assert refused.value.code == "books-closed"


def test_a_thread_outlives_the_loop_that_nobody_waits_on_any_more():
    threads, go_on = Threads(1), threading.Event()

    async def leave():
        threads.run(go_on.wait, 20)

    asyncio.run(leave())
    go_on.set()

    async def work():
        return await threads.run(int)

    assert asyncio.run(work()) == 0
    threads.close()


async def test_a_thread_holds_nothing_of_what_it_has_done():
    class Given:
        pass

    given, threads = Given(), Threads(1)
    seen = weakref.ref(given)
    await threads.run(id, given)
    del given
    for _ in range(100):  # The thread lets go of it after it has told the loop.
        gc.collect()
        if seen() is None:
            break
        await asyncio.sleep(0.01)
    assert seen() is None
    threads.close()
