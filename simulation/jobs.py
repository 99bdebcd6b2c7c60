"""Seeds in several processes at once, and what they tell put together."""

import subprocess
import sys
from collections.abc import Sequence

import msgspec

from simulation.stillness import real_seconds
from simulation.story import Told

_APART = 1_000_000
_LONGEST = 1_000_000_000


def fresh_seed() -> int:
    """Give a seed that nobody chose."""
    return int(real_seconds() * 1e6) % _LONGEST


def shares(first: int, last: int, jobs: int) -> list[tuple[int, int]]:
    """Divide seeds among processes, in stretches."""
    each = -(-(last - first + 1) // jobs)
    begins = range(first, last + 1, each)
    return [(begin, min(begin + each - 1, last)) for begin in begins]


def told_by(jobs: int, seeds: str, options: Sequence[str]) -> list[Told]:
    """Have so many processes tell seeds, and give what all of them told.

    Shape: `seeds` is `A-B`, or empty for fresh ones as long as the options say.
    """
    if seeds:
        first, _, last = seeds.partition("-")
        divided = shares(int(first), int(last or first), jobs)
        each = [["--seeds", f"{begin}-{end}"] for begin, end in divided]
    else:
        seed = fresh_seed()
        each = [["--first", str(seed + number * _APART)] for number in range(jobs)]
    command = [sys.executable, "-m", "simulation", "--json", *options]
    running = [subprocess.Popen([*command, *own], stdout=subprocess.PIPE) for own in each]
    texts = [one.communicate()[0] for one in running]
    return [told for text in texts for told in msgspec.json.decode(text, type=list[Told])]
