"""Two hubs over three replicas of a TigerBeetle under load: they are killed, frozen and cut off.

Every client goes on until it is answered. In the end each has paid everything once, and the audit
finds books and cluster the same. Skipped where there is no executable.
"""

import asyncio

import pytest

from tests.e2e.many_hubs import ManyHubs
from tests.replicas import own_replicas

pytestmark = pytest.mark.postgres


@pytest.fixture
def replicas():
    replicas = own_replicas()
    yield replicas
    replicas.close()


@pytest.fixture
def hubs(tmp_path, replicas, postgres_dsn):
    told = f'engine = "tigerbeetle"\naddresses = "{replicas.addresses}"\ndsn = "{postgres_dsn}"'
    hubs = ManyHubs(tmp_path, told)
    yield hubs
    hubs.stop_all()


async def back(replica) -> None:
    """Start a replica that was killed, with the file that it had."""
    replica.start()
    await asyncio.to_thread(replica.wait_listening)


async def test_the_death_of_the_primary_under_load_costs_nothing(hubs, replicas):
    await hubs.make_ready()

    async def trouble():
        first = replicas.primary
        first.kill()
        await hubs.go_on()
        assert replicas.primary is not first
        await back(first)
        await hubs.go_on()
        # Of three, two are needed: what goes on now needs the one that was dead.
        replicas.primary.kill()
        await hubs.go_on()

    await hubs.disturbed(trouble)
    await hubs.all_is_well()


async def test_a_replica_that_is_cut_off_and_comes_back_costs_nothing(hubs, replicas):
    await hubs.make_ready()

    async def trouble():
        for cut_off in (replicas.backups[0], replicas.primary):
            cut_off.freeze()
            await hubs.go_on()
            cut_off.thaw()
            await hubs.go_on()

    await hubs.disturbed(trouble)
    await hubs.all_is_well()


async def test_without_a_majority_nothing_is_paid_and_then_all_of_it_is(hubs, replicas):
    await hubs.make_ready()

    async def trouble():
        frozen = [replicas.primary, replicas.backups[0]]
        for replica in frozen:
            replica.freeze()
        await asyncio.sleep(1)  # What had been posted is written down and answered.
        before = hubs.paid()
        await asyncio.sleep(7)
        assert hubs.paid() == before
        for replica in frozen:
            replica.thaw()

    await hubs.disturbed(trouble)
    assert hubs.repeated > 0
    await hubs.all_is_well()


@pytest.mark.prove
async def test_whatever_befalls_the_replicas_in_turn_costs_nothing(hubs, replicas):
    await hubs.make_ready()

    async def trouble():
        for turn in range(12):
            one = replicas.primary if turn % 2 else replicas.all[turn // 2 % 3]
            if turn % 3:
                one.kill()
                await hubs.go_on()
                await back(one)
            else:
                one.freeze()
                await hubs.go_on()
                one.thaw()
            await hubs.go_on()

    await hubs.disturbed(trouble)
    await hubs.all_is_well()
