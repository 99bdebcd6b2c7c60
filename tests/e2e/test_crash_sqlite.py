"""`kill -9` of the hub at random moments under load, on SQLite."""

import contextlib
import socket
import threading
import time

import psutil
import pytest

from tests.e2e.crashing import CrashingHub, crash_again_and_again

ALONE, BESIDE = 'own_process = "never"', 'own_process = "always"'


async def test_a_hub_killed_again_and_again_loses_nothing_and_doubles_nothing(tmp_path):
    report = await crash_again_and_again(CrashingHub(tmp_path, ALONE), 6, sessions=True)
    assert report.payments > 60


def _writer_of(hub):
    [writer] = psutil.Process(hub.process.pid).children()
    return writer


class WritingBeside(CrashingHub):
    """A hub that writes in a process of its own; now that one is killed, now the hub is."""

    def __init__(self, folder):
        super().__init__(folder, BESIDE)
        self.kills = 0

    def kill(self):
        """Kill the hub, now after its writing process, now so that that one ends by itself."""
        self.kills += 1
        if self.kills % 2:
            _writer_of(self).kill()
        super().kill()


async def test_a_hub_and_its_writing_process_killed_in_turns_lose_nothing(tmp_path):
    await crash_again_and_again(WritingBeside(tmp_path), 3, sessions=True)


def test_a_hub_waits_until_the_writing_process_of_a_killed_one_has_ended(tmp_path):
    hub = CrashingHub(tmp_path, BESIDE)
    try:
        hub.start()
        writer = _writer_of(hub)
        writer.suspend()  # As in the middle of a long commit.
        hub.kill()
        going_on = threading.Thread(target=_resume_when_listened, args=[writer, hub.port])
        going_on.start()
        hub.start()
        going_on.join()
        assert _writer_of(hub) != writer
    finally:
        hub.stop()


def _resume_when_listened(writer, port):
    """Let a process go on soon after a hub has its port: it is the books that it asks for next."""
    for _ in range(2000):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.01)
    time.sleep(0.5)
    writer.resume()


@pytest.mark.prove
async def test_a_hub_killed_a_hundred_times_loses_nothing_and_doubles_nothing(tmp_path):
    await crash_again_and_again(CrashingHub(tmp_path, ALONE), 100, sessions=True)
