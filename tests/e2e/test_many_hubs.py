"""Several hubs over one PostgreSQL under load: one is killed, the server restarted, lines are cut.

Every client goes on until it is answered. In the end each has paid everything once, and the audit
finds nothing wrong.
"""

import asyncio
import contextlib
import shutil
import signal

import pytest

from farthing.testing.postgres import temporary_directory
from tests.e2e.cutting import Line
from tests.e2e.many_hubs import ManyHubs
from tests.e2e.standby import Standby, dsn_of_both
from tests.ports import free_port

pytestmark = pytest.mark.postgres


def books_at(dsn: str) -> str:
    return f'engine = "postgresql"\ndsn = "{dsn}"'


async def test_hubs_that_are_killed_are_stood_in_for_by_the_others(tmp_path, postgres_dsn):
    hubs = ManyHubs(tmp_path, books_at(postgres_dsn), count=3)
    try:
        await hubs.stand_in()
    finally:
        hubs.stop_all()


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGINT], ids=["immediate", "fast"])
async def test_a_postgresql_restarted_under_load_costs_nothing(tmp_path, own_server, how):
    hubs = ManyHubs(tmp_path, books_at(own_server.dsn()))
    try:
        await hubs.make_ready()

        async def trouble():
            await asyncio.to_thread(own_server.stop, how)
            await asyncio.sleep(1)  # On a busy machine nobody may have asked in less.
            await asyncio.to_thread(own_server.start)

        await hubs.disturbed(trouble)
        assert hubs.repeated > 0
        await hubs.all_is_well()
    finally:
        hubs.stop_all()


@pytest.fixture
def line_to_server(postgres_server):
    """A line to the run's server, where libpq looks for one, and its folder."""
    folder = temporary_directory()
    socket = ".s.PGSQL.5432"
    with Line(postgres_server.directory / socket, folder / socket, b"COMMIT\0") as line:
        yield line, folder
    shutil.rmtree(folder)


async def test_a_line_cut_between_a_commit_and_its_answer_costs_nothing(
    tmp_path, postgres_server, postgres_dsn, line_to_server
):
    line, folder = line_to_server
    dsn = postgres_dsn.replace(str(postgres_server.directory), str(folder))
    hubs = ManyHubs(tmp_path, books_at(dsn))
    try:
        await hubs.make_ready()

        async def trouble():
            for _ in range(8):
                await line.cut()
                await hubs.go_on(10)

        await hubs.disturbed(trouble)
        assert line.cuts == 8
        assert hubs.repeated >= 8
        await hubs.all_is_well()
    finally:
        hubs.stop_all()


async def test_an_answer_of_a_hub_that_never_arrives_costs_nothing(tmp_path, postgres_dsn):
    hubs = ManyHubs(tmp_path, books_at(postgres_dsn))
    before = [Line(hub.port, free_port(), b"HTTP/1.1 200") for hub in hubs.hubs]
    with contextlib.ExitStack() as lines:
        hubs.urls = [f"http://127.0.0.1:{lines.enter_context(line).at}" for line in before]
        try:
            await hubs.make_ready()

            async def trouble():
                for turn in range(20):
                    await before[turn % 2].cut()

            await hubs.disturbed(trouble)
            assert hubs.repeated >= 20
            await hubs.all_is_well()
        finally:
            hubs.stop_all()


async def test_a_standby_that_takes_over_under_load_has_all_that_was_answered(tmp_path, own_server):
    standby = Standby(temporary_directory())
    hubs = ManyHubs(tmp_path, books_at(dsn_of_both(own_server, standby)))
    try:
        await asyncio.to_thread(standby.follow, own_server)
        await hubs.make_ready()

        async def trouble():
            await asyncio.to_thread(own_server.stop)
            await asyncio.to_thread(standby.promote)

        await hubs.disturbed(trouble)
        assert hubs.repeated > 0
        await hubs.all_is_well()
    finally:
        hubs.stop_all()
        standby.remove()
