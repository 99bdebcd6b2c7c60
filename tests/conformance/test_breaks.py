"""The tests of the rules see the code broken: every day a few ways, in `make prove` all."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .breaking import Break, Starter, breaks, broken_copy

BREAKS = breaks()
SECONDS = 8
"""How long the everyday run goes on drawing."""

ENDLESS = "_CONTROL = "
"""Code before this is run when it is imported."""


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


def test_a_few_breaks_are_seen(starter: Starter, tmp_path: Path):
    seed = random.SystemRandom().randrange(10**6)
    drawn = random.Random(seed).sample([one for one in BREAKS if not one.slow], 5)
    began = time.monotonic()
    for i, one in enumerate(drawn):
        if time.monotonic() - began < SECONDS:
            print(f"seed {seed}, broken: {one.name}")
            check(starter, one, tmp_path / str(i))


def test_a_run_that_hangs_is_ended_and_is_no_verdict(starter: Starter, tmp_path: Path):
    began = time.monotonic()
    hangs = Break([], "core/paths.py", ENDLESS, f"while True:\n    pass\n{ENDLESS}", [])
    with pytest.raises(AssertionError, match="exit -14 in 3 s"):
        starter.seen(["core/test_paths.py"], broken_copy(hangs, tmp_path), seconds=3)
    assert time.monotonic() - began < 20


@pytest.mark.prove
@pytest.mark.parametrize("one", BREAKS, ids=lambda one: one.name)
def test_every_break_is_seen(starter: Starter, one: Break, tmp_path: Path):
    check(starter, one, tmp_path)


@pytest.mark.prove
def test_an_unbroken_copy_passes(starter: Starter, tmp_path: Path):
    tests = sorted({test for one in BREAKS if not one.slow for test in one.tests})
    failed, told = starter.seen(tests, broken_copy(None, tmp_path))
    assert not failed, told
