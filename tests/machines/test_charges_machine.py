"""What x402 charges, on every engine, against an independent model; each run ends in an audit."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests import effort
from tests.machines.charges_machine import ChargesMachine
from tests.machines.engines import beside, in_cluster, on_postgres, on_sqlite


def run(fresh, examples: int) -> None:
    class Machine(ChargesMachine):
        def open_database(self):
            database, self._close = fresh()
            return database

        def close_database(self):
            self._close()

    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    chosen = settings(
        max_examples=effort.examples(examples),
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=quiet,
    )
    run_state_machine_as_test(Machine, settings=chosen)


def test_charges_on_sqlite_are_as_the_model_says(readers):
    run(on_sqlite(readers), 12)


def test_charges_on_postgresql_are_as_the_model_says(postgres_server, readers):
    run(on_postgres(postgres_server, readers), 3)


def test_charges_written_by_another_process_are_as_the_model_says(readers):
    run(beside(readers), 3)


def test_charges_in_tigerbeetle_are_as_the_model_says(readers):
    run(in_cluster(readers), 3)
