"""`kill -9` of the hub at random moments under load, on PostgreSQL, which goes on running."""

import pytest

from tests.e2e.crashing import CrashingHub, crash_again_and_again


@pytest.fixture
def hub(tmp_path, postgres_dsn):
    return CrashingHub(tmp_path, f'engine = "postgresql"\ndsn = "{postgres_dsn}"')


@pytest.mark.postgres
async def test_a_hub_killed_again_and_again_loses_nothing_and_doubles_nothing(hub):
    report = await crash_again_and_again(hub, 6, sessions=True)
    assert report.payments > 60


@pytest.mark.prove
@pytest.mark.postgres
async def test_a_hub_killed_a_hundred_times_loses_nothing_and_doubles_nothing(hub):
    await crash_again_and_again(hub, 100, sessions=True)
