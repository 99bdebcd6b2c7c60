"""Every line of the log, and every fact in one, is in the table that the page is written from."""

import re

import pytest

from farthing.core.events import Kind
from farthing.explained.log_lines import ALWAYS, FACTS, LINES, OF_EVENTS
from tests.observe.shipped import alerts

from .log_calls import LogCall, calls_in, event_facts, log_calls
from .reference import ROOT

GOOD_NEWS = ("books.writable", "clock.caught_up")
"""What ends a warning, at its level, so that whoever heard the one hears the other."""


def faults(call: LogCall) -> list[str]:
    """Say what of a call is not in the table."""
    if call.line not in LINES:
        return [f"{call.place}: {call.line!r} is no documented line"]
    known = LINES[call.line]
    names = {fact.rstrip("?") for fact in known.facts}
    needed = {fact for fact in known.facts if not fact.endswith("?")}
    told = [f"{call.place}: {call.line} has no documented {f}" for f in call.facts - names]
    told += [f"{call.place}: {call.line} lacks {f}" for f in needed - call.facts]
    if call.level != known.level:
        told.append(f"{call.place}: {call.line} is documented as {known.level}")
    return told


def test_every_line_that_is_written_is_documented_with_its_level_and_its_facts():
    assert [fault for call in log_calls() for fault in faults(call)] == []


def test_every_documented_line_and_fact_is_written_somewhere():
    assert {call.line for call in log_calls()} == set(LINES)
    written = {fact.rstrip("?") for line in LINES.values() for fact in line.facts}
    assert written | {"logger"} == set(FACTS)
    assert event_facts() | {"id", "subject"} == set(OF_EVENTS)
    assert not set(ALWAYS) & (set(FACTS) | set(OF_EVENTS))


@pytest.mark.parametrize(
    "code",
    [
        'log.info("hub.started_anew", hub="x", url="y")',
        'log.warning("hub.started", hub="x", url="y")',
        'log.info("hub.started", hub="x", url="y", key="z")',
        'log.info("hub.started", hub="x")',
        'log.info("the hub %s started", hub)',
        'self._logger.error(f"{why}")',
        'logging.critical("hub.stopped")',
    ],
)
def test_a_call_that_is_not_documented_is_found_out(code: str):
    assert [fault for call in calls_in(code, "here") for fault in faults(call)]


def test_nobody_writes_to_the_standard_librarys_log_but_through_our_own():
    users = {
        str(file.relative_to(ROOT / "src" / "farthing"))
        for file in (ROOT / "src" / "farthing").rglob("*.py")
        if re.search(r"\blogging\.(getLogger|debug|info|warning|error)\b", file.read_text())
    }
    assert users == {"logs.py", "log_lines.py"}


def test_every_line_that_an_alert_tells_of_is_written():
    named = {
        name
        for alert in alerts().values()
        for name in re.findall(r"`([a-z]+\.[a-z_]+)`", alert["annotations"]["do"])
    }
    assert len(named) >= 5
    assert named <= set(LINES) | {kind.value for kind in Kind}


def test_a_line_that_is_no_routine_says_what_to_do():
    for name, line in LINES.items():
        assert line.to_do or line.level in ("info", "debug") or name in GOOD_NEWS, name
