"""The meter book on a real disk: what was said to be kept is there, also after `kill -9`."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from farthing.core.meters import Meter
from farthing.core.tariffs import flat_rate
from farthing.errors import Unavailable
from farthing.services.meter_pen import MeterPen
from farthing.store.meter_book import MeterBook
from farthing.threads import Threads

TARIFF = flat_rate("USD", "request", 3, 2).written().decode()
THREADS = Threads(2)


def meter(number: int, count: int = 0, voucher: bytes = b"\x84") -> Meter:
    return Meter(
        session=f"ses_{number:026d}",
        device="dev_" + "0" * 26,
        payee="acc_" + "0" * 26,
        asset="USD",
        key="ed25519:" + "A" * 43,
        tariff=TARIFF,
        purpose="shop.example",
        deposit=2**62,
        ends_ns=2**62,
        closes_ns=2**63 - 1,
        units=count,
        voucher=voucher,
        count=count,
        part=999_999_999,
    )


def test_meters_are_kept_replaced_and_forgotten(tmp_path: Path):
    book = MeterBook(tmp_path / "meters.db", THREADS)
    book.keep([meter(1), meter(2), meter(3)])
    book.keep([meter(2, 7)], [meter(3).session])
    with pytest.raises(Unavailable) as caught:
        MeterBook(tmp_path / "meters.db", THREADS)
    assert caught.value.code == "store-locked"
    book.close()
    again = MeterBook(tmp_path / "meters.db", THREADS)
    assert again.all() == [meter(1), meter(2, 7)]
    again.close()


def test_a_file_that_knows_no_ticks_yet_is_read_and_learns_them(tmp_path: Path):
    """As an earlier version left it."""
    path = tmp_path / "meters.db"
    book = MeterBook(path, THREADS)
    book.keep([meter(1, 5)])
    for column in ("ticks", "tick"):
        book._database.transact(
            lambda tx, column=column: tx.run(f"ALTER TABLE meters DROP COLUMN {column}")
        )
    book.close()
    again = MeterBook(path, THREADS)
    assert again.all() == [meter(1, 5)]
    ticked = msgspec.structs.replace(meter(1, 5), ticks=7, tick=bytes(16))
    again.keep([ticked])
    again.close()
    once_more = MeterBook(path, THREADS)
    assert once_more.all() == [ticked]
    once_more.close()


class Disk:
    """A book whose writing can be held up, and fails as often as it is told to."""

    def __init__(self) -> None:
        self.kept: list[list[int]] = []
        self.failing = 0

    def keep(self, meters, _over=()) -> None:
        if self.failing:
            self.failing -= 1
            raise Unavailable("store-unavailable", "the disk is full")
        self.kept.append([each.count for each in meters])


async def test_many_who_wait_share_one_sync_and_the_newest_state_is_written():
    disk = Disk()
    pen = MeterPen(disk.keep, THREADS)
    pen.change(meter(1).session, meter(1, 1))
    first = asyncio.create_task(pen.written())
    await asyncio.sleep(0)
    rest: list[asyncio.Task[None]] = []
    for count in range(2, 50):
        pen.change(meter(1).session, meter(1, count))
        rest.append(asyncio.create_task(pen.written()))
    await asyncio.gather(first, *rest)
    assert disk.kept[-1] == [49]
    assert len(disk.kept) <= 3


async def test_a_meter_that_only_says_less_waits_for_the_next():
    disk = Disk()
    pen = MeterPen(disk.keep, THREADS)
    pen.change(meter(1).session, meter(1, 5))
    await pen.written(meter(1).session)
    pen.change(meter(1).session, msgspec.structs.replace(meter(1, 5), count=4))
    await pen.written(meter(1).session)
    assert disk.kept == [[5]]
    pen.change(meter(2).session, meter(2, 7))
    await pen.written(meter(2).session)
    assert disk.kept == [[5], [4, 7]]


async def test_a_change_that_is_being_written_is_waited_for_and_no_longer():
    disk = Disk()
    pen = MeterPen(disk.keep, THREADS)
    pen.change(meter(1).session, meter(1, 5))
    first = asyncio.create_task(pen.written(meter(1).session))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    pen.change(meter(2).session, meter(2, 7))
    await pen.written(meter(1).session)  # As the first does, and not for the second meter.
    await first
    assert disk.kept == [[5]]


async def test_what_could_not_be_written_is_told_and_written_with_the_next():
    disk = Disk()
    pen = MeterPen(disk.keep, THREADS)
    disk.failing = 1
    pen.change(meter(1).session, meter(1, 5))
    with pytest.raises(Unavailable):
        await pen.written()
    pen.change(meter(2).session, meter(2, 6))
    await pen.written()
    assert disk.kept == [[5, 6]]


CHILD = """
import sys
from farthing.threads import Threads
from pathlib import Path
from farthing.store.meter_book import MeterBook
from tests.store.test_meter_book import meter

book = MeterBook(Path(sys.argv[1]), Threads(1))
count = 0
while True:
    count += 1
    book.keep([meter(1, count)])
    print(count, flush=True)
"""


def test_what_was_said_to_be_kept_survives_a_kill(tmp_path: Path):
    path = tmp_path / "meters.db"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    said = 0
    for line in child.stdout:
        said = int(line)
        if said == 40:
            os.kill(child.pid, signal.SIGKILL)
            break
    said = max([said, *(int(line) for line in child.stdout if line.strip())])
    child.wait()
    book = MeterBook(path, THREADS)
    [kept] = book.all()
    book.close()
    assert kept.count in (said, said + 1)
