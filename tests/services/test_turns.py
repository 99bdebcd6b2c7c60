"""A gate for a few: each party has its turn, and who gives up passes it on."""

import asyncio

import pytest

from farthing.errors import TooMuch, Unavailable
from farthing.services.turns import Turns


async def hold(turns: Turns, who: str, log: list[str], go: asyncio.Event) -> None:
    async with turns.turn(who):
        log.append(who)
        await go.wait()


async def started(*doings) -> list[asyncio.Task]:
    tasks = [asyncio.ensure_future(doing) for doing in doings]
    await asyncio.sleep(0)
    return tasks


async def test_no_more_than_a_few_have_their_turn_at_once():
    turns, going, most = Turns(2), 0, 0

    async def work() -> None:
        nonlocal going, most
        async with turns.turn("x"):
            going += 1
            most = max(most, going)
            await asyncio.sleep(0)
            going -= 1

    await asyncio.gather(*(work() for _ in range(20)))
    assert most == 2


async def test_who_comes_late_has_a_turn_before_another_ones_second():
    turns, log, go = Turns(1), list[str](), asyncio.Event()
    tasks = await started(*(hold(turns, who, log, go) for who in "aaab"))
    go.set()
    await asyncio.gather(*tasks)
    assert log == ["a", "a", "b", "a"]


async def test_whoever_gives_up_or_fails_passes_the_turn_on():
    turns, log, go = Turns(1), list[str](), asyncio.Event()
    [first, second, third] = await started(*(hold(turns, who, log, go) for who in "abc"))
    second.cancel()
    first.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    go.set()
    await third
    assert log == ["a", "c"]
    async with turns.turn("d"):
        pass


async def test_the_turn_of_who_gives_up_just_as_it_comes_is_passed_on():
    turns, log, go = Turns(1), list[str](), asyncio.Event()
    [first, second, third] = await started(*(hold(turns, who, log, go) for who in "abc"))
    go.set()
    await first
    second.cancel()
    await asyncio.gather(second, third, return_exceptions=True)
    assert log[-1] == "c"


async def test_the_line_is_bounded_for_one_and_for_all():
    turns, log, go = Turns(1, waiting_max=4), list[str](), asyncio.Event()
    tasks = await started(*(hold(turns, who, log, go) for who in "aaa"))
    with pytest.raises(TooMuch):
        await hold(turns, "a", log, go)  # Two of its wait, and two places are left.
    tasks += await started(hold(turns, "b", log, go), hold(turns, "c", log, go))
    with pytest.raises(Unavailable) as refused:
        await hold(turns, "d", log, go)
    assert refused.value.code == "too-busy"
    go.set()
    await asyncio.gather(*tasks)
