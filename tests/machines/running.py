"""Running a machine over an engine: a fresh database for every example."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests import effort

_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def run(kind, fresh, examples: int, steps: int) -> None:
    """Run a machine that opens its database by itself, on databases of this engine."""

    class Machine(kind):
        def open_database(self):
            database, self._close = fresh()
            return database

        def close_database(self):
            self._close()

    run_machine(Machine, examples, steps)


def run_machine(machine, examples: int, steps: int) -> None:
    """Run a machine so many times, more where more effort is asked for."""
    chosen = settings(
        max_examples=effort.examples(examples),
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=_QUIET,
    )
    run_state_machine_as_test(machine, settings=chosen)
