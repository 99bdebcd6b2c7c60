"""What any rail is put to: it does a thing once for a reference, and stands by its last word.

A rail's own tests call `check_rail` with ways to make it behave; the shipped ones do.
"""

from collections.abc import Mapping

from farthing.core.movements import Direction, Said
from farthing.errors import Conflict, ensure
from farthing.rails.base import Instruction, Rail, Report

ASKED_MAX = 20


async def check_rail(rail: Rail, places: Mapping[str, Said]) -> None:
    """Put a rail to the contract.

    Shape:  `places` are such that lead to each outcome in the end.
    Raises: InvariantBroken for what a rail may not do.
    """
    ensure(bool(rail.name), "a rail has a name")
    await _knows_nothing_it_was_not_told(rail)
    for number, (place, meant) in enumerate(places.items()):
        for direction in Direction:
            told = Instruction(f"{direction}_{number}", direction, 5 + number, "USD", place)
            await _does_it_once(rail, told, meant)
            await _refuses_another_thing(rail, told)


async def _knows_nothing_it_was_not_told(rail: Rail) -> None:
    ensure(await rail.look_up("never") is None, "an unknown reference has no report")


async def _does_it_once(rail: Rail, told: Instruction, meant: Said) -> None:
    first = await rail.send(told)
    ensure(first.outcome is not Said.INTENDED, "a report says what became of it")
    last = await _until_known(rail, told)
    ensure(last.outcome is meant, f"{told.place} is {meant} in the end, not {last.outcome}")
    for _ in range(2):
        again, looked = await rail.send(told), await rail.look_up(told.reference)
        ensure(again == last, "asked again it says the same")
        ensure(looked == last, "looked up it says the same")
    ensure(bool(last.rail_reference), "a rail has a reference of its own")


async def _until_known(rail: Rail, told: Instruction) -> Report:
    for _ in range(ASKED_MAX):
        report = await rail.look_up(told.reference) or await rail.send(told)
        if report.outcome.final:
            return report
    raise AssertionError(f"{told.place}: it says nothing for good")


async def _refuses_another_thing(rail: Rail, told: Instruction) -> None:
    other = Instruction(told.reference, told.direction, told.units + 1, told.asset, told.place)
    before = await rail.look_up(told.reference)
    try:
        await rail.send(other)
    except Conflict as refused:
        ensure(refused.code == "reference-reused", "it says what is wrong")
    else:
        ensure(holds=False, what="a reference is good for one thing")
    ensure(await rail.look_up(told.reference) == before, "and what was done stays as it was")
