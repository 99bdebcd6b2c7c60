"""Meters against an independent model, with a book on a real disk."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests import effort
from tests.machines.meter_machine import MeterMachine


def test_meters_are_as_the_model_says():
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    chosen = settings(
        max_examples=effort.examples(60),
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=quiet,
    )
    run_state_machine_as_test(MeterMachine, settings=chosen)


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
