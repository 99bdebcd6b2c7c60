"""Ticks: one signature commits to a ladder, and each value of it is worth one more step.

A device too small to sign for every unit makes a hash chain from a seed: the last value is the
seed, each one before it is the hash of the one after it, and the first is the anchor. A voucher
signs the anchor, what each tick is worth and how many there are; whoever then hears the value of
count `n` hashes it `n` times and finds the anchor. `docs/reference/sessions.md` has the bytes.
"""

import hashlib
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from farthing.errors import Malformed

DOMAIN = b"farthing-tick-1\n"
VALUE_BYTES = 16
TICK_BYTES = 28
"""Alias, count and value: small enough for the slowest LoRaWAN uplink, which carries 51 bytes."""

LADDER_TICKS_MAX = 65_536
"""The most ticks of one ladder: so many hash steps check whatever anybody shows."""

_LAYOUT = struct.Struct(">8sI16s")


class Ladder(NamedTuple):
    """What a voucher commits to. Units: each of at most `most` ticks is worth `each` units."""

    anchor: bytes
    each: int
    most: int


Rung = tuple[int, bytes]
"""One value of a ladder, and its count; count 0 has the anchor."""


class Tick(NamedTuple):
    """A rung of the ladder of the session that its payee calls by this alias.

    Shape: `ticks` counts from the anchor, which is none.
    """

    alias: bytes
    ticks: int
    value: bytes

    @property
    def rung(self) -> Rung:
        """Where on the ladder it is."""
        return self.ticks, self.value


class Climbed(NamedTuple):
    """What came of checking rungs against one that was known.

    Shape: `right` are those that are of the ladder, lowest first; `wrong` and `far` are places in
           what was given: of no such ladder, or not looked at; `steps` were hashed.
    """

    right: list[Rung]
    wrong: list[int]
    far: list[int]
    steps: int


def write_tick(tick: Tick) -> bytes:
    """Write a tick's 28 bytes."""
    return _LAYOUT.pack(*tick)


def read_tick(raw: bytes) -> Tick:
    """Read a tick.

    Raises: Malformed `malformed-tick`.
    """
    if len(raw) != TICK_BYTES:
        raise Malformed("malformed-tick", f"a tick has {TICK_BYTES} bytes")
    return Tick(*_LAYOUT.unpack(raw))


def read_ticks(raw: bytes) -> Iterable[tuple[bytes, int, bytes]]:
    """Read ticks that were written one after the other: alias, count and value of each.

    Raises: Malformed `malformed-tick`.
    """
    if not raw or len(raw) % TICK_BYTES:
        raise Malformed("malformed-tick", f"every tick has {TICK_BYTES} bytes")
    return _LAYOUT.iter_unpack(raw)


def stepped(alias: bytes, value: bytes, steps: int) -> bytes:
    """Hash a value down a ladder, so many steps."""
    begin = hashlib.sha256(DOMAIN + alias).copy
    for _ in range(steps):
        step = begin()
        step.update(value)
        value = step.digest()[:VALUE_BYTES]
    return value


def climb(
    alias: bytes, known: Rung, rungs: Sequence[Rung], reach: int, most: int, left: int
) -> Climbed:
    """Tell which rungs are of the ladder that `known` is of, in any order and however often.

    Units:  no rung is looked at that is more than `reach` steps from one that is known by then,
            and no more than `left` steps are hashed for all of them.
    Shape:  a ladder has the counts 1 to `most`.
    """
    counts = [count for count, _ in rungs]
    order = sorted(range(len(counts)), key=counts.__getitem__)
    begin = bisect_left(order, 1, key=counts.__getitem__)
    first = bisect_left(order, known[0], begin, key=counts.__getitem__)
    end = bisect_right(order, most, key=counts.__getitem__)
    up = _up(alias, known, rungs, order[first:end], reach, left)
    down = _down(alias, known, rungs, order[begin:first][::-1], reach, left - up.steps)
    outside = order[:begin] + order[end:]
    return Climbed(
        down.right[::-1] + up.right,
        sorted(outside + down.wrong + up.wrong),
        sorted(down.far + up.far),
        down.steps + up.steps,
    )


def _up(
    alias: bytes, known: Rung, rungs: Sequence[Rung], order: Sequence[int], reach: int, left: int
) -> Climbed:
    """Check rungs above what is known, the lowest first; each good one is known from then on."""
    begin = hashlib.sha256(DOMAIN + alias).copy
    right: list[Rung] = []
    wrong: list[int] = []
    far: list[int] = []
    begun, (count, held) = left, known
    for place in order:
        rung = rungs[place]
        steps = rung[0] - count
        if steps > reach or steps > left:
            far.append(place)
            continue
        left -= steps
        value = rung[1]
        for _ in range(steps):  # As `stepped` does: calling it costs a tenth where ticks follow on.
            step = begin()
            step.update(value)
            value = step.digest()[:VALUE_BYTES]
        if value == held:
            right.append(rung)
            count, held = rung
        else:
            wrong.append(place)
    return Climbed(right, wrong, far, begun - left)


def _down(
    alias: bytes, known: Rung, rungs: Sequence[Rung], order: Sequence[int], reach: int, left: int
) -> Climbed:
    """Check rungs below what is known, the highest first: what is known leads to each of them."""
    right: list[Rung] = []
    wrong: list[int] = []
    far: list[int] = []
    begun, (count, held) = left, known
    for place in order:
        rung = rungs[place]
        steps = count - rung[0]
        if steps > reach or steps > left:
            far.append(place)
            continue
        left -= steps
        count, held = rung[0], stepped(alias, held, steps)
        if held == rung[1]:
            right.append(rung)
        else:
            wrong.append(place)
    return Climbed(right, wrong, far, begun - left)
