"""Huge pages: which memory is asked for, and that a process really gets them."""

import subprocess
import sys
from pathlib import Path

import pytest

from farthing.huge_pages import collapsed

MIB = 1 << 20
MAPS = """\
00400000-00800000 r-xp 00000000 fe:00 1234                               /usr/bin/python3
00900000-00d80000 rw-p 00000000 00:00 0                                  [heap]
10000000-10180000 rw-p 00000000 00:00 0 
20000000-20400000 rw-p 00000000 fe:00 99                                 /usr/lib/some.so
30000000-30400000 ---p 00000000 00:00 0 
40000000-40400000 rw-p 00000000 00:00 0 
7ffc0000-7ffe0000 rw-p 00000000 00:00 0                                  [stack]
"""  # noqa: W291 - as the kernel writes it

GROWS = """
import resource
from farthing.huge_pages import huge_pages
kept = [bytes([i % 251]) * 100_000 for i in range(400)]
got = huge_pages()
assert all(part == bytes([i % 251]) * 100_000 for i, part in enumerate(kept))
rollup = open("/proc/self/smaps_rollup").read().splitlines()
print(got, next(line.split()[1] for line in rollup if line.startswith("AnonHugePages")))
"""


def test_own_memory_is_collapsed_where_whole_huge_pages_lie_in_it():
    asked: list[tuple[int, int, int]] = []

    def advise(start: int, length: int, what: int) -> int:
        asked.append((start, length, what))
        return 0

    done = collapsed(MAPS, advise)
    wanted = [(start, length) for start, length, what in asked if what == 14]
    collapse = [(start, length) for start, length, what in asked if what == 25]
    assert wanted == [(0x900000, 0x480000), (0x10000000, 0x180000), (0x40000000, 0x400000)]
    assert collapse == [(0xA00000, 2 * MIB), (0x40000000, 4 * MIB)]
    assert done == 6 * MIB


def test_what_the_kernel_refuses_is_not_counted():
    assert collapsed(MAPS, lambda _start, _length, what: -1 if what == 25 else 0) == 0


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="not a Linux")
def test_a_process_that_asks_has_what_it_was_told_and_all_it_kept():
    ran = subprocess.run(
        [sys.executable, "-c", GROWS], capture_output=True, text=True, check=True, timeout=60
    )
    told, kept_kib = (int(word) for word in ran.stdout.split())
    assert told <= kept_kib * 1024
