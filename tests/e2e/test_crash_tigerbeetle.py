"""`kill -9` of the hub at random moments under load, with the money in a TigerBeetle."""

import pytest

from tests.clusters import own_server
from tests.e2e.crashing import CrashingHub, crash_again_and_again


@pytest.fixture
def kept():
    server = own_server()
    yield f'engine = "tigerbeetle"\naddresses = "{server.address}"'
    server.close()


async def test_a_hub_killed_again_and_again_loses_nothing_and_doubles_nothing(tmp_path, kept):
    report = await crash_again_and_again(CrashingHub(tmp_path, kept), 3, sessions=True)
    assert report.payments > 30


@pytest.mark.prove
async def test_a_hub_killed_fifty_times_loses_nothing_and_doubles_nothing(tmp_path, kept):
    await crash_again_and_again(CrashingHub(tmp_path, kept), 50, sessions=True)
