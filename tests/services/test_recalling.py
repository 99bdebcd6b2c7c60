"""A hub recalls what orders are judged by as it starts, and is not held up by it for long."""

import asyncio
from typing import NamedTuple

from structlog.testing import capture_logs

from farthing.errors import Unavailable
from farthing.services.recalling import Recalling


class Step(NamedTuple):
    read: int
    left: int


def steps(*told):
    """Give what was told, one after the other; a fault is raised, and nothing lasts for ever."""
    left = list(told)

    async def step():
        await asyncio.sleep(0)
        if not left:
            await asyncio.Event().wait()
        one = left.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    return step


async def begun(step, wait_seconds=5.0):
    with capture_logs() as logs:
        recalling = Recalling(step, wait_seconds, told_every_seconds=0)
        await recalling.begin()
    return recalling, [line["event"] for line in logs]


async def test_a_hub_is_ready_when_all_is_read_and_has_said_how_far_it_was():
    recalling, said = await begun(steps(Step(2000, 500), Step(500, 0)))
    assert said == ["risk.recalling", "risk.recalled"]
    await recalling.stop()


async def test_nothing_is_said_where_there_is_nothing_to_recall():
    recalling, said = await begun(steps(Step(0, 0)))
    assert said == []
    await recalling.stop()


async def test_a_hub_waits_for_so_long_and_reads_on_beside_its_work():
    going_on = asyncio.Event()
    read = []

    async def step():
        if read:
            await going_on.wait()
        read.append(1)
        return Step(1, 2 - len(read))

    recalling, said = await begun(step, wait_seconds=0.02)
    assert (said, read) == (["risk.recalling"], [1])
    going_on.set()
    with capture_logs() as logs:
        await asyncio.wait_for(asyncio.shield(recalling.done), 5)
    assert (logs[0]["event"], logs[0]["leaves"], len(read)) == ("risk.recalled", 2, 2)
    await recalling.stop()


async def test_a_hub_starts_although_the_history_cannot_be_read_now():
    fault = Unavailable("store-unavailable", "the disk is gone")
    recalling, said = await begun(steps(Step(1, 1), fault))
    assert said == ["risk.recalling", "risk.recall_postponed"]
    await recalling.stop()


async def test_what_is_stopped_reads_no_further():
    recalling, _ = await begun(steps(Step(1, 1)), wait_seconds=0.02)
    await recalling.stop()
    assert asyncio.all_tasks() == {asyncio.current_task()}
