"""A whole trial of a small module: what its test looks at is noticed, and the rest is not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL = """
def fits(units):
    return units <= 9


def down(units):
    while units > 0:
        units -= 1
    return units


def unseen():
    return 1
"""
TESTS = """
from pathlib import Path

from small import down, fits


def test_nine_fits():
    assert fits(9)


def test_it_goes_down():
    assert down(3) == 0
"""
FICKLE = """

def test_that_fails_from_the_second_time_on():
    place = Path(__file__).with_suffix(".txt")
    assert fits(1) and not place.exists()
    place.touch()
"""
RUN = """
import sys
from pathlib import Path

import pytest

from tests.mutation.kept import Kept
from tests.mutation.trial import Trial

place = Path(sys.argv[1])
kept = Kept(place / "kept")
options = ["-s", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(place)]
ended = pytest.main([*options, str(place)], plugins=[Trial(place, ["small.py"], kept, 0.3)])
kept.save()
sys.exit(ended)
"""


def tried(place: Path, tests: str) -> subprocess.CompletedProcess[str]:
    (place / "small.py").write_text(SMALL)
    (place / "test_small.py").write_text(tests)
    command = [sys.executable, "-c", RUN, str(place)]
    environment = {"PYTHONPATH": f"{ROOT}:{place}", "PATH": ""}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


def test_what_no_test_looks_at_is_said(tmp_path):
    ended = tried(tmp_path, TESTS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = json.loads((tmp_path / "kept" / "small.py.json").read_text())
    verdicts = {name.partition(" small.py ")[2]: verdict for name, verdict in found.items()}
    assert verdicts == {
        "fits: return units <= 9: None is returned": "noticed",
        "fits: return units <= 9: <= becomes <": "noticed",
        "fits: return units <= 9: 9 becomes 10": "unnoticed",
        "down: while units > 0:: > becomes >=": "noticed",
        "down: while units > 0:: 0 becomes 1": "noticed",
        "down: units -= 1: - becomes +": "endless",
        "down: units -= 1: 1 becomes 2": "noticed",
        "down: return units: None is returned": "noticed",
        "unseen: return 1: None is returned": "unnoticed",
        "unseen: return 1: 1 becomes 2": "unnoticed",
    }
    assert "unnoticed by 1 tests: small.py fits: return units <= 9: 9 becomes 10" in ended.stdout
    assert "small.py: 7 of 10 noticed" in ended.stdout


def test_tests_that_fail_with_nothing_changed_are_said_and_nothing_is_tried(tmp_path):
    ended = tried(tmp_path, TESTS + FICKLE)
    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    assert "tests of small.py fail with nothing changed" in ended.stdout + ended.stderr
    assert not list((tmp_path / "kept").iterdir())
