"""What x402 charges, on every engine, against an independent model; each run ends in an audit."""

from tests.machines import running
from tests.machines.charges_machine import ChargesMachine
from tests.machines.engines import (
    beside,
    in_cluster,
    in_cluster_and_postgres,
    on_postgres,
    on_sqlite,
)


def run(fresh, examples: int) -> None:
    running.run(ChargesMachine, fresh, examples, 25)


def test_charges_on_sqlite_are_as_the_model_says(readers):
    run(on_sqlite(readers), 12)


def test_charges_on_postgresql_are_as_the_model_says(postgres_server, readers):
    run(on_postgres(postgres_server, readers), 3)


def test_charges_written_by_another_process_are_as_the_model_says(readers):
    run(beside(readers), 3)


def test_charges_in_tigerbeetle_are_as_the_model_says(readers):
    run(in_cluster(readers), 3)


def test_charges_in_a_cluster_and_postgresql_are_as_the_model_says(postgres_server, readers):
    run(in_cluster_and_postgres(postgres_server, readers), 2)
