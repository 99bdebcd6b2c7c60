"""Every migration has a number of its own, never changes once it landed, and is upgraded from."""

from farthing.store.migrate import migrations
from tests.upgrades.kept import NAMES, newest, told
from tests.upgrades.make import ROOT, SQL, digests

HOW = "commit it, then run: python -m tests.upgrades.make (tests/upgrades/fixtures/README.md)"


def test_migrations_are_numbered_one_after_the_other():
    numbers = [number for number, _, _ in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_migration_that_has_landed_is_never_changed():
    now = digests(ROOT / SQL)
    for name in NAMES:
        changed = [
            file for file, told_by in told(name)["migrations"].items() if now[file] != told_by
        ]
        assert changed == [], f"{name} was made with another text: write a new migration instead"


def test_there_are_books_of_todays_schema_that_later_ones_are_upgraded_from():
    made = told(newest())
    assert made["migrations"] == digests(ROOT / SQL), f"no fixture has this schema: {HOW}"
    assert made["schema"] == migrations()[-1][0], HOW
