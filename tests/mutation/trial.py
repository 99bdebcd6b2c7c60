"""The trial of each change: a fork of one test run in which it stands, and whether a test fails.

Tests are collected once. A first fork notes which functions each test calls and how long it takes;
then every change has a fork of its own, in which the tests that call its function run, the quickest
first, until one fails. Nothing is copied, imported or collected anew.
"""

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import HealthCheck, Phase, settings

from tests.mutation.changes import changed
from tests.mutation.codes import Mark, Watched, mark
from tests.mutation.kept import Kept

ROOM_BYTES = 4 * 2**30
SECONDS_MAX = 120
"""How long a change may take by the wall: a processor's time is what it is bounded by otherwise."""
TESTS_SECONDS_MAX = 3.0
"""How long the tests of one change take at most; those that take longest are passed over."""
SPARE_SECONDS = 2.0
"""How much longer than three times as long as they took tests may take before they are endless."""
NOTICED, UNNOTICED = 0, 3


class Trial:
    """A pytest plugin that runs every change instead of every test once."""

    def __init__(
        self, root: Path, files: Sequence[str], kept: Kept, spare_seconds: float = SPARE_SECONDS
    ) -> None:
        self._root, self._files, self._kept, self._spare = root, files, kept, spare_seconds

    def pytest_configure(self) -> None:
        """Have random tests find what they find at once, the same each time, whatever it takes."""
        settings.register_profile(
            "mutation",
            database=None,
            deadline=None,
            derandomize=True,
            max_examples=50,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        settings.load_profile("mutation")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try all changes."""
        if session.testsfailed:
            raise session.Interrupted("tests cannot be collected")
        paths = {file: self._root / file for file in self._files}
        watched = Watched(list(paths.values()))
        calls = _Calls(session.items, watched)
        begun = time.monotonic()
        for file, path in paths.items():
            _ensure_quiet(watched, path, calls, self._spare)
            for change, tree in changed(file, path.read_text()):
                if self._kept.is_noticed(change):
                    continue
                different = watched.differing(path, tree)
                tests = calls.of([which for which, _ in different])
                verdict = _try(watched, different, tests, self._spare) if different else "unnoticed"
                self._kept.note(change, verdict)
                if verdict == "unnoticed":
                    print(f"unnoticed by {len(tests)} tests: {change.key}", flush=True)
            done = time.monotonic() - begun
            print(f"{done:7.0f} s  {self._kept.said(file)}", flush=True)
        return True


def _ensure_quiet(watched: Watched, path: Path, calls: "_Calls", spare: float) -> None:
    """Stop where tests fail in a fork by themselves: they would notice anything."""
    same = [(mark(code), code) for code in watched.codes[path]]
    if _try(watched, same, calls.of([which for which, _ in same]), spare) != "unnoticed":
        raise pytest.UsageError(f"tests of {path.name} fail with nothing changed")


class _Calls:
    """Which tests call a function, the quickest first."""

    def __init__(self, items: Sequence[pytest.Item], watched: Watched) -> None:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            _hush()
            with os.fdopen(writing, "w") as told:
                _tell_calls(items, watched, told)
            os._exit(0)
        os.close(writing)
        self._calls: dict[str, list[tuple[float, pytest.Item]]] = {}
        with os.fdopen(reading) as told:
            for line in told:
                number, seconds, passed, called = json.loads(line)
                if not passed:
                    print(f"left out, as it fails by itself: {items[number].nodeid}", flush=True)
                    continue
                for which in called:
                    self._calls.setdefault(which, []).append((seconds, items[number]))
        os.waitpid(child, 0)

    def of(self, functions: Sequence[Mark]) -> list[tuple[float, pytest.Item]]:
        """Give the tests of these functions, with the seconds that each takes."""
        found = {item: s for f in functions for s, item in self._calls.get(_name(f), [])}
        chosen, total = [], 0.0
        for item, seconds in sorted(found.items(), key=lambda one: one[1]):
            total += seconds
            if total > TESTS_SECONDS_MAX and chosen:
                break
            chosen.append((seconds, item))
        return chosen


def _name(which: Mark) -> str:
    file, name, line, table = which
    return f"{file} {name} {line} {table.hex()}"


def _tell_calls(items: Sequence[pytest.Item], watched: Watched, told) -> None:
    for number, item in enumerate(items):
        watched.forget()
        passed: list[bool] = []
        begun = time.process_time()
        called = watched.called_by(lambda item=item, passed=passed: passed.append(_passes(item)))
        seconds = time.process_time() - begun
        line = [number, seconds, passed == [True], [_name(one) for one in called]]
        told.write(json.dumps(line) + "\n")
        told.flush()


def _passes(item: pytest.Item) -> bool:
    reports = runtestprotocol(item, log=False, nextitem=None)
    return all(not report.failed for report in reports)


def _try(
    watched: Watched, different, tests: Sequence[tuple[float, pytest.Item]], spare: float
) -> str:
    if not tests:
        return "unnoticed"
    child = os.fork()
    if not child:
        _hush()
        _bound(spare + 3 * sum(seconds for seconds, _ in tests))
        os._exit(_verdict(watched, different, [item for _, item in tests]))
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "endless" if os.WTERMSIG(status) in (signal.SIGALRM, signal.SIGPROF) else "noticed"
    return "unnoticed" if os.WEXITSTATUS(status) == UNNOTICED else "noticed"


def _verdict(watched: Watched, different, items: Sequence[pytest.Item]) -> int:
    try:
        watched.forget()
        if not watched.put(different):
            return UNNOTICED
        return UNNOTICED if all(map(_passes, items)) else NOTICED
    except BaseException:
        return NOTICED


def _bound(seconds: float) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.alarm(SECONDS_MAX)
    resource.setrlimit(resource.RLIMIT_AS, (ROOM_BYTES, ROOM_BYTES))


def _hush() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    sys.stdout.flush()
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
