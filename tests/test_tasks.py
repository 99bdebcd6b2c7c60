"""Tasks are ended: all of them, to their end, and what one failed of is not lost."""

import asyncio
import contextlib

import pytest

from farthing.tasks import end


async def _until_told(ended: list[str], name: str) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.001)  # As one who still has something to put away.
        ended.append(name)


async def test_every_task_has_ended_when_it_returns() -> None:
    ended: list[str] = []
    tasks = [asyncio.create_task(_until_told(ended, name)) for name in "ab"]
    await asyncio.sleep(0)
    await end(*tasks, None)
    assert ended == ["a", "b"]


async def test_there_may_be_none() -> None:
    await end()
    await end(None)


async def test_what_one_failed_of_is_raised_when_all_have_ended() -> None:
    ended: list[str] = []

    async def fail() -> None:
        raise ValueError("broken")

    tasks = [asyncio.create_task(fail()), asyncio.create_task(_until_told(ended, "b"))]
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="broken"):
        await end(*tasks)
    assert ended == ["b"]


async def test_who_ends_others_can_be_cancelled_meanwhile() -> None:
    slow = asyncio.Event()

    async def stubborn() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await slow.wait()

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    ending = asyncio.create_task(end(task))
    await asyncio.sleep(0.01)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    slow.set()
    await task
