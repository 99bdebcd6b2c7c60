"""Which events `farthing tail` shows."""

from pathlib import Path

import pytest

from farthing.cli.calling import News, read_event
from farthing.errors import Malformed
from tests.cli.runner import Terminal


def told(kind: str, subject: str = "pay_1", at: str = "2027-01-01T00:00:00Z") -> dict[str, str]:
    return {"kind": kind, "subject": subject, "at": at}


def test_what_two_owners_may_know_is_shown_once():
    news = News(set())
    events = [
        told("payment.held"),
        told("payment.held"),
        told("payment.captured"),
        told("payment.captured"),
        told("payment.captured", "pay_2"),
        told("payment.captured", "pay_2", "2027-01-01T00:00:01Z"),
    ]
    assert [news.is_one(event) for event in events] == [True, False, True, False, True, True]


def test_only_the_kinds_that_were_asked_for_are_shown():
    news = News({"payment.held"})
    assert not news.is_one(told("payment.captured"))
    assert news.is_one(told("payment.held"))


def test_what_is_no_event_is_said_to_be_none():
    for told in (b"[]", b"{}", b'{"kind": 1, "subject": "x", "at": "x", "body": {}}', b"{"):
        with pytest.raises(Malformed):
            read_event(told)


def test_a_kind_that_is_none_is_refused_with_the_nearest(tmp_path: Path):
    done = Terminal(tmp_path)("tail", "--kind", "payment.capture")
    assert done.code == 2
    assert "did you mean payment.captured?" in done.err
