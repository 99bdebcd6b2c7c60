"""Both engines' books against the independent model of the ledger."""

from tests.machines.books_driver import BooksDriver
from tests.machines.engines import (
    beside,
    in_cluster,
    in_cluster_and_postgres,
    on_postgres,
    on_sqlite,
)
from tests.machines.ledger_machine import LedgerMachine
from tests.machines.running import run_machine


def run(fresh, examples: int) -> None:
    class Machine(LedgerMachine):
        def driver(self):
            return BooksDriver(*fresh())

    run_machine(Machine, examples, 25)


def test_the_books_on_sqlite_are_the_ledger(readers):
    run(on_sqlite(readers), 40)


def test_the_books_on_postgresql_are_the_ledger(postgres_server, readers):
    run(on_postgres(postgres_server, readers), 12)


def test_the_books_written_by_another_process_are_the_ledger(readers):
    run(beside(readers), 6)


def test_the_books_in_tigerbeetle_are_the_ledger(readers):
    run(in_cluster(readers), 12)


def test_the_books_in_a_cluster_and_postgresql_are_the_ledger(postgres_server, readers):
    run(in_cluster_and_postgres(postgres_server, readers), 4)
