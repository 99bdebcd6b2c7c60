"""Payments on both engines against an independent model of balances and budgets."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests import effort
from tests.machines.engines import beside, in_cluster, on_postgres, on_sqlite
from tests.machines.payments_machine import PaymentsMachine


def run(fresh, examples: int) -> None:
    class Machine(PaymentsMachine):
        def open_database(self):
            database, self._close = fresh()
            return database

        def close_database(self):
            self._close()

    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    chosen = settings(
        max_examples=effort.examples(examples),
        stateful_step_count=15,
        deadline=None,
        suppress_health_check=quiet,
    )
    run_state_machine_as_test(Machine, settings=chosen)


def test_payments_on_sqlite_are_as_the_model_says(readers):
    run(on_sqlite(readers), 100)


def test_payments_on_postgresql_are_as_the_model_says(postgres_server, readers):
    run(on_postgres(postgres_server, readers), 15)


def test_payments_written_by_another_process_are_as_the_model_says(readers):
    run(beside(readers), 12)


def test_payments_in_tigerbeetle_are_as_the_model_says(readers):
    run(in_cluster(readers), 12)
