"""`kill -9` of the hub at random moments under load, on SQLite."""

import os
import signal

import psutil
import pytest

from tests.e2e.crashing import CrashingHub, crash_again_and_again

ALONE = 'own_process = "never"'


async def test_a_hub_killed_ten_times_loses_nothing_and_doubles_nothing(tmp_path):
    report = await crash_again_and_again(CrashingHub(tmp_path, ALONE), 10, sessions=True)
    assert report.payments > 100


class WritingBeside(CrashingHub):
    """A hub that writes in a process of its own; now that one is killed, now the hub is."""

    def __init__(self, folder):
        super().__init__(folder, 'own_process = "always"')
        self.kills = 0

    def kill(self):
        """Kill one of the two; the other must end by itself, or start it again."""
        [writer] = psutil.Process(self.process.pid).children()
        self.kills += 1
        if self.kills % 2:
            os.kill(writer.pid, signal.SIGKILL)
        super().kill()
        writer.wait(20)


async def test_a_hub_and_its_writing_process_killed_in_turns_lose_nothing(tmp_path):
    await crash_again_and_again(WritingBeside(tmp_path), 3, sessions=True)


@pytest.mark.prove
async def test_a_hub_killed_a_hundred_times_loses_nothing_and_doubles_nothing(tmp_path):
    await crash_again_and_again(CrashingHub(tmp_path, ALONE), 100, sessions=True)
