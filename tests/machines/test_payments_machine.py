"""Payments on both engines against an independent model of balances and budgets."""

from farthing.books import sql
from farthing.books.solitude import Solitude
from farthing.errors import FarthingError
from tests.machines import running
from tests.machines.engines import (
    beside,
    in_cluster,
    in_cluster_and_postgres,
    on_postgres,
    on_sqlite,
)
from tests.machines.payments_machine import PaymentsMachine


class AheadMachine(PaymentsMachine):
    """The first of what is asked together is decided before the others, and written with them."""

    async def do_all(self, units):
        if not units:
            return []
        try:
            first = await self.world.books.commit_ahead(units[0], lambda _: True)
        except FarthingError as said:
            first = said
        return [first, *await self.world.do_all(units[1:])]


def run(fresh, examples: int, kind=PaymentsMachine) -> None:
    running.run(kind, fresh, examples, 15)


def test_payments_on_sqlite_are_as_the_model_says(readers):
    run(on_sqlite(readers), 100)


def test_payments_that_wait_to_be_written_are_as_the_model_says(readers, monkeypatch):
    monkeypatch.setattr(Solitude, "lasts", True)
    monkeypatch.setattr(sql, "AHEAD_SECONDS", 60)
    run(on_sqlite(readers), 60, AheadMachine)


def test_payments_on_postgresql_are_as_the_model_says(postgres_server, readers):
    run(on_postgres(postgres_server, readers), 15)


def test_payments_written_by_another_process_are_as_the_model_says(readers):
    run(beside(readers), 12)


def test_payments_in_tigerbeetle_are_as_the_model_says(readers):
    run(in_cluster(readers), 12)


def test_payments_in_a_cluster_and_postgresql_are_as_the_model_says(postgres_server, readers):
    run(in_cluster_and_postgres(postgres_server, readers), 5)
