"""A hub that closes while reads still wait for a thread: they are answered, and it ends."""

import subprocess
import sys

PROGRAM = """
import asyncio, sys, threading
from farthing.app import open_hub
from farthing.cli.serving import initialise
from farthing.settings import Config

async def main():
    config = Config(folder=sys.argv[1])
    await initialise(config, "the operator", "UTC")
    hub = await open_hub(config)
    readers, go_on = hub.threads[0], threading.Event()
    for _ in range(4):  # Every thread for reading is busy, and no connection is.
        readers.run(go_on.wait)
    reading = asyncio.create_task(hub.ctx.database.read(lambda tx: tx.rows("SELECT 1")))
    await asyncio.sleep(0)
    threading.Timer(0.3, go_on.set).start()
    await hub.close()
    print(await reading)

asyncio.run(main())
"""


def test_reads_that_wait_for_a_thread_are_answered_before_the_hub_ends(tmp_path):
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "hub")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "[(1,)]\n"
