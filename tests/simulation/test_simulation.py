"""The simulation: it finds nothing today, tells a seed's story again, and sees planted bugs."""

import random
import re
import tomllib
from pathlib import Path

import pytest

from tests.conformance.breaking import SOURCE, Break, broken_copy

from .running import simulate

PLANTED = tomllib.loads((Path(__file__).parent / "planted.toml").read_text())["bug"]
SEEDS = 40
"""So many more seeds are tried: a change of the hub changes what a seed tells."""


def test_a_short_run_from_a_fresh_seed_finds_nothing():
    told, said = simulate("--seconds", "6", "--operations", "500")
    print(said)
    assert [one["wrong"] for one in told] == [[]] * len(told)
    assert sum(one["operations"] for one in told) >= 500
    assert sum(sum(one["faults"].values()) for one in told) >= 10


def test_a_seed_tells_the_same_story_again_whatever_was_told_before():
    both, _ = simulate("--seeds", "6-7", "--operations", "120")
    [again], _ = simulate("--seed", "7", "--operations", "120")
    for one in (*both, again):
        del one["real_seconds"], one["processor_seconds"]
    assert again == both[1]
    assert again["digest"] != both[0]["digest"]


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug["what"])
def test_a_planted_bug_fits_the_code(bug):
    text = (SOURCE / bug["file"]).read_text()
    assert text.count(bug["old"]) == 1, "the code has changed: plant this bug anew"
    compile(text.replace(bug["old"], bug["new"]), bug["file"], "exec")


def find(bug, folder: Path) -> None:
    """See a planted bug found by one of a few seeds, from the one on that found it first."""
    one = Break([bug["what"]], bug["file"], bug["old"], bug["new"], [])
    seeds = f"{bug['seed']}-{bug['seed'] + SEEDS}"
    source = broken_copy(one, folder)
    told, said = simulate("--seeds", seeds, "--operations", "400", "--stop", source=source)
    assert any(re.search(bug["said"], fault) for fault in told[-1]["wrong"]), said
    assert f'make simulate ARGS="--seed {told[-1]["seed"]} --operations 400"' in said


def test_a_planted_bug_is_found(tmp_path):
    bug = random.SystemRandom().choice(PLANTED)
    print(bug["what"])
    find(bug, tmp_path)


@pytest.mark.prove
@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug["what"])
def test_every_planted_bug_is_found(bug, tmp_path):
    find(bug, tmp_path)
