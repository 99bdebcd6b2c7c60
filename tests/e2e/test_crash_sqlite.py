"""`kill -9` of the hub at random moments under load, on SQLite."""

import pytest

from tests.e2e.crashing import CrashingHub, crash_again_and_again


async def test_a_hub_killed_five_times_loses_nothing_and_doubles_nothing(tmp_path):
    report = await crash_again_and_again(CrashingHub(tmp_path), 5, sessions=True)
    assert report.payments > 50


@pytest.mark.prove
async def test_a_hub_killed_a_hundred_times_loses_nothing_and_doubles_nothing(tmp_path):
    await crash_again_and_again(CrashingHub(tmp_path), 100, sessions=True)
