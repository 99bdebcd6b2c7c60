"""Each rail is put to the contract that all of them keep."""

import pytest

from farthing.core.movements import Direction, Said
from farthing.errors import InvariantBroken
from farthing.rails.base import Instruction, Report
from farthing.rails.simulated import Simulated
from farthing.testing.rail_contract import check_rail

PLACES = {
    "ok": Said.SETTLED,
    "": Said.SETTLED,
    "fail": Said.FAILED,
    "slow": Said.SETTLED,
    "unclear": Said.SETTLED,
    "lost": Said.SETTLED,
}


async def test_the_simulated_rail_keeps_the_contract(tmp_path):
    rail = Simulated(tmp_path / "rail.log")
    await check_rail(rail, PLACES)
    assert not rail.is_money
    assert {one["state"] for one in rail.moved().values()} == {"settled", "failed"}


async def test_what_it_was_told_survives_it_and_a_line_cut_off(tmp_path):
    path = tmp_path / "rail.log"
    told = Instruction("top_1", Direction.TOP_UP, 5, "USD", "ok")
    report = await Simulated(path).send(told)
    with path.open("a") as file:
        file.write('{"reference": "top_2", "dir')
    assert await Simulated(path).look_up("top_1") == report
    assert await Simulated(path).look_up("top_2") is None
    more = Instruction("top_3", Direction.TOP_UP, 5, "USD", "ok")
    await Simulated(path).send(more)
    assert set(Simulated(path).moved()) == {"top_1", "top_3"}


class Forgetful(Simulated):
    """Knows of nothing that it was told: what the contract is there to find."""

    async def look_up(self, reference: str) -> Report | None:
        return None if reference else await super().look_up(reference)


class Fickle(Simulated):
    """Takes its word back."""

    async def send(self, instruction: Instruction) -> Report:
        report = await super().send(instruction)
        return report if self._path.stat().st_size % 2 else Report(Said.FAILED, "x")


class Careless(Simulated):
    """Takes any content under a reference."""

    async def send(self, instruction: Instruction) -> Report:
        known = await self.look_up(instruction.reference)
        return known or await super().send(instruction)


@pytest.mark.parametrize("kind", [Forgetful, Fickle, Careless])
async def test_a_rail_that_breaks_it_is_found_out(tmp_path, kind):
    with pytest.raises((InvariantBroken, AssertionError)):
        await check_rail(kind(tmp_path / "rail.log"), PLACES)
