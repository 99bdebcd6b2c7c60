"""A signal wakes who waits, and who is stopped meanwhile stops."""

import asyncio

import pytest

from farthing.services.signals import Signal


async def test_who_waits_is_woken_and_who_came_late_does_not_wait():
    signal = Signal()
    waiting = asyncio.create_task(signal.wait_past(0, 60))
    await asyncio.sleep(0)
    signal.give()
    assert await waiting
    assert await signal.wait_past(0, 60)
    assert not await signal.wait_past(1, 0.001)


async def test_who_is_stopped_in_the_moment_in_which_it_is_given_stops():
    signal = Signal()
    waiting = asyncio.create_task(signal.wait_past(0, 60))
    await asyncio.sleep(0)
    signal.give()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
