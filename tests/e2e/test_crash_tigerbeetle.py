"""`kill -9` of the hub at random moments under load, with the money in a TigerBeetle."""

import pytest

from tests.clusters import own_server
from tests.e2e.crashing import CrashingHub, crash_again_and_again
from tests.e2e.many_hubs import ManyHubs


@pytest.fixture
def in_cluster():
    """What a hub is told of a cluster."""
    server = own_server()
    yield f'engine = "tigerbeetle"\naddresses = "{server.address}"'
    server.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def kept(request, in_cluster):
    """And where the records are."""
    if request.param == "sqlite":
        return in_cluster
    return f'{in_cluster}\ndsn = "{request.getfixturevalue("postgres_dsn")}"'


async def test_a_hub_killed_again_and_again_loses_nothing_and_doubles_nothing(tmp_path, kept):
    report = await crash_again_and_again(CrashingHub(tmp_path, kept), 3, sessions=True)
    assert report.payments > 30


@pytest.mark.prove
async def test_a_hub_killed_fifty_times_loses_nothing_and_doubles_nothing(tmp_path, kept):
    await crash_again_and_again(CrashingHub(tmp_path, kept), 50, sessions=True)


@pytest.mark.postgres
async def test_hubs_that_are_killed_are_stood_in_for_by_the_others(
    tmp_path, in_cluster, postgres_dsn
):
    hubs = ManyHubs(tmp_path, f'{in_cluster}\ndsn = "{postgres_dsn}"', count=3)
    try:
        await hubs.stand_in()
    finally:
        hubs.stop_all()
