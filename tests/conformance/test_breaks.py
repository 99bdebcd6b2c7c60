"""The tests of the rules see the code broken: every day a few ways, in `make prove` all."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .breaking import SOURCE, Break, Starter, breaks, broken_copy
from .rules import all_rules, shown

BREAKS = breaks()
SECONDS = 8
"""How long the everyday run goes on drawing."""

BLIND = {
    "test_a_login_in_front_is_asked_first": "the login is the seller's own",
    "test_two_lengths": "the parsers of both servers refuse it too, before our own check",
    "test_asking_changes_nothing": "a break would have to add a write, not to take a check away",
    "test_an_approved_payment_is_served_under_its_key": "two ways hold it, each without the other",
}
"""Tests here that no small break can fail, and why."""


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    """A process that runs tests on broken copies."""
    started = Starter(tmp_path_factory.mktemp("starter"))
    yield started
    started.close()


def check(starter: Starter, one: Break, folder: Path) -> None:
    """Break the code, and see every test fail that must see it."""
    failed, told = starter.seen(one.tests, broken_copy(one, folder))
    unseeing = set(one.tests) - failed
    assert not unseeing, f"{one.name} was not seen by {unseeing}\n{told}"


def test_every_break_breaks_what_is_there():
    rules = {rule.id for rule in all_rules() if rule.on}
    for one in BREAKS:
        assert set(one.rules) <= rules, one.name
        assert (SOURCE / one.file).read_text().count(one.old) == 1, (
            f"the code has changed: write this break anew, in tests/conformance/breaks: {one.name}"
        )
        assert one.old != one.new
        assert {test.partition("::")[2] for test in one.tests} == set(one.seen_by), one.name


def test_every_rule_is_broken_or_says_why_not():
    broken = {rule for one in BREAKS for rule in one.rules}
    for rule in all_rules():
        if rule.on:
            assert (rule.id in broken) != bool(rule.unbroken), rule.id


def test_every_test_here_sees_a_break():
    seeing = {test for one in BREAKS for test in one.tests}
    blind = {one.test for one in shown() if one.test.startswith("conformance/")} - seeing
    assert {test.partition("::")[2] for test in blind} == set(BLIND)


def test_a_few_breaks_are_seen(starter: Starter, tmp_path: Path):
    seed = random.SystemRandom().randrange(10**6)
    drawn = random.Random(seed).sample([one for one in BREAKS if not one.slow], 5)
    began = time.monotonic()
    for i, one in enumerate(drawn):
        if time.monotonic() - began < SECONDS:
            print(f"seed {seed}, broken: {one.name}")
            check(starter, one, tmp_path / str(i))


@pytest.mark.prove
@pytest.mark.parametrize("one", BREAKS, ids=lambda one: one.name)
def test_every_break_is_seen(starter: Starter, one: Break, tmp_path: Path):
    check(starter, one, tmp_path)


@pytest.mark.prove
def test_an_unbroken_copy_passes(starter: Starter, tmp_path: Path):
    tests = sorted({test for one in BREAKS if not one.slow for test in one.tests})
    failed, told = starter.seen(tests, broken_copy(None, tmp_path))
    assert not failed, told
