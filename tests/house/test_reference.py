"""What is written about the house is true: reference pages follow the code."""

import re

import pytest

from farthing.core.events import EXPLAINED, Kind
from farthing.explained import hints
from farthing.web.problems import MPP_CODES

from .reference import FOLDER, all_commands, pages, raised


@pytest.mark.rule("asvs.2.1.2", on="hub")
@pytest.mark.parametrize(
    "name",
    [
        "access",
        "alerts",
        "api",
        "commands",
        "configuration",
        "events",
        "limits",
        "logs",
        "metrics",
        "problems",
    ],
)
def test_a_reference_page_says_what_the_code_does(name: str):
    written = (FOLDER / f"{name}.md").read_text()
    assert written == pages()[f"{name}.md"], "run: .venv/bin/python -m tests.house.reference"


def test_all_the_pages_are_written():
    assert len(pages()) >= 9


def test_a_detail_stands_by_the_code_that_says_it_where_one_function_raises_several():
    told = {code: details for code, (_, details) in raised().items()}
    assert told["voucher-used"] == {
        "each voucher pays for one request; sign one with a higher sequence"
    }
    assert told["voucher-superseded"] == {"… units were promised already"}
    assert len(told["session-revoked"]) == 1


def test_every_problem_has_a_hint_and_every_hint_a_problem():
    of_protocols = MPP_CODES - set(raised())
    assert set(hints()) - of_protocols == set(raised()) - of_protocols


def test_a_hint_is_a_sentence_or_two_that_says_what_to_do():
    for code, hint in hints().items():
        assert 10 < len(hint) < 110, code
        assert hint[0].isupper(), code


def test_every_kind_of_event_is_explained():
    assert set(EXPLAINED) == set(Kind)


def test_every_command_shows_an_example():
    for words, command in all_commands():
        assert re.search(rf"{words} ?\S", command.help or "") or "Example" in (command.help or "")


def test_every_problem_has_a_code_of_plain_words_and_a_status():
    for code, (statuses, _) in raised().items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)
        assert statuses


def test_every_problem_says_something_but_the_one_that_may_not():
    silent = {code for code, (_, details) in raised().items() if not details}
    assert silent == {"handler-failed"}
