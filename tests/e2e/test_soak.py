"""Minutes of steady load: memory stays flat, and the books are right in the end."""

import asyncio
import os

import psutil
import pytest

from tests.e2e.crashing import CrashingHub

SECONDS = float(os.environ.get("FARTHING_SOAK_SECONDS", "300"))
GROWTH_MIB_MAX = 16
RESIDENT_MIB_MAX = 250


@pytest.mark.prove
async def test_memory_is_flat_under_load_and_the_books_are_right_after_it(tmp_path):
    hub = CrashingHub(tmp_path)
    hub.start()
    try:
        await hub.furnish()
        process = psutil.Process(hub.process.pid)
        sizes = []

        async def watch():
            while True:
                await asyncio.sleep(1)
                sizes.append(process.memory_info().rss / 2**20)

        watching = asyncio.create_task(watch())
        await hub.load(SECONDS)
        watching.cancel()
        hub.start()
        await hub.retry()
        hub.kill()
        report = await hub.check()
    finally:
        hub.stop()
    middle, end = sizes[len(sizes) // 2], sizes[-2]
    print(f"{report.payments} payments; {middle:.0f} MiB at half time, {end:.0f} MiB at the end")
    assert end - middle < GROWTH_MIB_MAX, sizes[:: max(1, len(sizes) // 20)]
    assert max(sizes) < RESIDENT_MIB_MAX
