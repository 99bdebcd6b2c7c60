"""The simulation: it finds nothing today, tells a seed's story again, and sees planted bugs."""

import tomllib
from pathlib import Path

import pytest

from tests.conformance.breaking import Break, broken_copy

from .running import simulate

PLANTED = tomllib.loads((Path(__file__).parent / "planted.toml").read_text())["bug"]


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
        del one["real_seconds"]
    assert again == both[1]
    assert again["digest"] != both[0]["digest"]


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug["what"])
def test_a_planted_bug_is_found_by_its_seed(bug, tmp_path):
    one = Break([bug["what"]], bug["file"], bug["old"], bug["new"], [])
    operations = str(bug.get("operations", 300))
    source = broken_copy(one, tmp_path)
    [told], said = simulate("--seed", str(bug["seed"]), "--operations", operations, source=source)
    assert any(bug["said"] in fault for fault in told["wrong"]), said
    again = f'make simulate ARGS="--seed {bug["seed"]} --operations {operations}"'
    assert again in said
    [right], _ = simulate("--seed", str(bug["seed"]), "--operations", operations)
    assert right["wrong"] == []
