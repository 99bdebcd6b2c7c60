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
