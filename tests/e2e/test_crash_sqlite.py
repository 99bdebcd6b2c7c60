"""`kill -9` of the hub at random moments under load, on SQLite."""

import pytest

from tests.e2e.crashing import CrashingHub, crash_again_and_again


async def test_a_hub_killed_ten_times_loses_nothing_and_doubles_nothing(tmp_path):
    report = await crash_again_and_again(CrashingHub(tmp_path), 10, sessions=True)
    assert report.payments > 100


@pytest.mark.prove
async def test_a_hub_killed_a_hundred_times_loses_nothing_and_doubles_nothing(tmp_path):
    await crash_again_and_again(CrashingHub(tmp_path), 100, sessions=True)
