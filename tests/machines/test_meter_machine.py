"""Meters against an independent model, with a book on a real disk."""

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from farthing.settings import BooksSettings
from tests import effort
from tests.conftest import fresh_dsn
from tests.machines.meter_hub import TownSessions
from tests.machines.meter_machine import MeterMachine


class TownMachine(MeterMachine):
    """The same, with a whole hub."""

    books: Any = None

    def open_hub(self) -> Any:
        hub = TownSessions(Path(self.folder.name) / "hub", self.clock, self.run, self.books)
        self.hub_id, self.payee = hub.town.hub.ctx.identity.hub, hub.town.accounts["shop"]
        self.device, self.signer = hub.machine.id, hub.machine.signer
        return hub

    def close_hub(self) -> None:
        self.hub.close_town()

    def new_nonce(self) -> str:
        return self.hub.nonce()


def run(machine: type[MeterMachine], examples: int) -> None:
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    chosen = settings(
        max_examples=effort.examples(examples),
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=quiet,
    )
    run_state_machine_as_test(machine, settings=chosen)


def test_meters_are_as_the_model_says():
    run(MeterMachine, 60)


def test_meters_of_a_hub_on_sqlite_are_as_the_model_says():
    run(TownMachine, 6)


def test_meters_of_a_hub_on_postgresql_are_as_the_model_says(postgres_server):
    class Machine(TownMachine):
        def open_hub(self) -> Any:
            self.place = fresh_dsn(postgres_server)
            self.books = BooksSettings(engine="postgresql", dsn=self.place.__enter__())
            return super().open_hub()

        def close_hub(self) -> None:
            super().close_hub()
            self.place.__exit__(None, None, None)

    run(Machine, 2)


def test_what_the_payer_told_the_hub_itself_is_kept_when_it_is_heard_of():
    machine = MeterMachine()
    machine.begin()
    machine.present(place=0, units=1)
    machine.payer_goes_around(place=0, more=1)
    machine.look_again()
    machine.nothing_is_lost_or_counted_twice()
    machine.killed()
    machine.nothing_is_lost_or_counted_twice()
    machine.teardown()


def test_what_the_payer_told_the_hub_itself_is_taken_where_it_is_owed():
    machine = MeterMachine()
    machine.begin()
    machine.present(place=0, units=1)  # Opening the session is owed two.
    machine.settle()
    machine.payer_goes_around(place=0, more=1)
    machine.teardown()
