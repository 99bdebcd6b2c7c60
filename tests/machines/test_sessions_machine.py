"""Sessions on both engines against an independent model, each run ended by an audit."""

from tests.machines import running
from tests.machines.engines import (
    beside,
    in_cluster,
    in_cluster_and_postgres,
    on_postgres,
    on_sqlite,
)
from tests.machines.sessions_machine import SessionsMachine


def run(fresh, examples: int) -> None:
    running.run(SessionsMachine, fresh, examples, 12)


def test_sessions_on_sqlite_are_as_the_model_says(readers):
    run(on_sqlite(readers), 30)


def test_sessions_on_postgresql_are_as_the_model_says(postgres_server, readers):
    run(on_postgres(postgres_server, readers), 5)


def test_sessions_written_by_another_process_are_as_the_model_says(readers):
    run(beside(readers), 6)


def test_sessions_in_tigerbeetle_are_as_the_model_says(readers):
    run(in_cluster(readers), 8)


def test_sessions_in_a_cluster_and_postgresql_are_as_the_model_says(postgres_server, readers):
    run(in_cluster_and_postgres(postgres_server, readers), 3)
