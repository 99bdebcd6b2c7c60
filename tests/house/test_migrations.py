"""Every migration has a number of its own, and the numbers have no gap."""

from farthing.store.migrate import migrations


def test_migrations_are_numbered_one_after_the_other():
    numbers = [number for number, _, _ in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))
