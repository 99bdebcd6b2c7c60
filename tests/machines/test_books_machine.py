"""Both engines' books against the independent model of the ledger."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests import effort
from tests.machines.books_driver import BooksDriver
from tests.machines.engines import beside, in_cluster, on_postgres, on_sqlite
from tests.machines.ledger_machine import LedgerMachine


def run(fresh, examples: int) -> None:
    class Machine(LedgerMachine):
        def driver(self):
            return BooksDriver(*fresh())

    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    chosen = settings(
        max_examples=effort.examples(examples),
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=quiet,
    )
    run_state_machine_as_test(Machine, settings=chosen)


def test_the_books_on_sqlite_are_the_ledger(readers):
    run(on_sqlite(readers), 40)


def test_the_books_on_postgresql_are_the_ledger(postgres_server, readers):
    run(on_postgres(postgres_server, readers), 12)


def test_the_books_written_by_another_process_are_the_ledger(readers):
    run(beside(readers), 6)


def test_the_books_in_tigerbeetle_are_the_ledger(readers):
    run(in_cluster(readers), 12)
