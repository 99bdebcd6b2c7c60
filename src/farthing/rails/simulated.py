"""A rail that moves no money: for trying things, and for tests of what goes wrong with real ones.

What it was told is kept in a file of its own, as a bank keeps its own books: it survives a crash of
the hub. The first word of a place says how it behaves:

`ok`      it is settled at once (so is any other word)
`fail`    it is declined
`slow`    it is pending, and settled when asked for the third time
`unclear` it is settled, but the answer gets lost
`lost`    the first instruction never arrives, and nor does an answer
"""

import asyncio
import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from farthing.core.bounds import UNBOUNDED, Bounds
from farthing.core.movements import Said
from farthing.errors import Conflict
from farthing.rails.base import Instruction, Report

_SLOW_ASKED = 3


class Simulated:
    """A rail whose other side is a file."""

    name = "simulated"
    is_money = False
    places = ("ok", "slow", "fail", "unclear", "lost")

    def __init__(self, path: Path, bounds: Bounds = UNBOUNDED) -> None:
        self._path, self.bounds = path, bounds

    async def send(self, instruction: Instruction) -> Report:
        """Write the instruction down, once, and behave as its place says."""
        return await asyncio.to_thread(self._alone, lambda known: _sent(known, instruction))

    async def look_up(self, reference: str) -> Report | None:
        """Tell what became of it."""
        return await asyncio.to_thread(self._alone, lambda known: _looked_up(known, reference))

    def moved(self) -> dict[str, dict[str, Any]]:
        """Tell what the other side has, by reference: for who compares."""
        return self._alone(lambda known: (dict(known), None))

    def _alone(self, work: Callable[[dict[str, Any]], tuple[Any, dict[str, Any] | None]]) -> Any:
        """Read the file and write to it while nobody else does, in whichever process."""
        with self._path.open("ab+") as file:
            os.chmod(self._path, 0o600)  # noqa: PTH101 - while it is open
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            known = {one["reference"]: one for one in map(json.loads, whole.splitlines())}
            answer, written = work(known)
            if written is not None:
                file.truncate(len(whole))  # A line that a crash cut off was never answered.
                file.write(json.dumps(written).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            return answer


def _content(instruction: Instruction) -> dict[str, Any]:
    return {
        "reference": instruction.reference,
        "direction": instruction.direction.value,
        "units": instruction.units,
        "asset": instruction.asset,
        "place": instruction.place,
    }


def _sent(known: dict[str, Any], instruction: Instruction) -> tuple[Report, dict[str, Any] | None]:
    content, found = _content(instruction), known.get(instruction.reference)
    if found is not None and any(found[name] != value for name, value in content.items()):
        raise Conflict("reference-reused", "this reference was used for something else")
    way = instruction.place.partition(" ")[0]
    if found is None and way == "lost":
        return Report(Said.UNKNOWN), {**content, "state": "lost", "asked": 0}
    if found is None or found["state"] == "lost":
        state = {"fail": Said.FAILED, "slow": Said.PENDING}.get(way, Said.SETTLED)
        found = {**content, "state": state.value, "asked": 0}
        if way == "unclear":
            return Report(Said.UNKNOWN), found
        return _report(found), found
    return _report(found), None


def _looked_up(
    known: dict[str, Any], reference: str
) -> tuple[Report | None, dict[str, Any] | None]:
    found = known.get(reference)
    if found is None or found["state"] == "lost":
        return None, None
    if found["state"] == Said.PENDING:
        asked = found["asked"] + 1
        state = Said.SETTLED if asked >= _SLOW_ASKED else Said.PENDING
        found = {**found, "asked": asked, "state": state.value}
        return _report(found), found
    return _report(found), None


def _report(found: dict[str, Any]) -> Report:
    said = Said(found["state"])
    reason = "declined" if said is Said.FAILED else ""
    return Report(said, f"sim_{found['reference']}", reason)
