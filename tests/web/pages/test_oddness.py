"""Why rules asked, or refused, is said to whom it concerns, in their language."""

import re
from pathlib import Path

import pytest

from farthing.core.judgements import Reason
from farthing.risk.settings import rule_names
from farthing.web.pages.oddness import oddness
from farthing.web.pages.render import Renderer
from tests.risk.orders import facts
from tests.risk.test_rules import SPEAKS
from tests.web.api.test_cases import flagged, watched
from tests.web.api.town import open_town

from .browser import Browser
from .test_console import plain


def told(language: str, reason: Reason) -> str:
    renderer = Renderer(language, {})
    return str(oddness(renderer.say, renderer.knows, reason))


def reasons() -> list[Reason]:
    return [
        Reason(type(rule).__module__.rpartition(".")[2], rule.judge(facts(**odd)) or "")
        for rule, odd, _ in SPEAKS
    ]


def test_what_every_rule_says_is_said_in_every_language_with_its_numbers():
    assert {reason.rule for reason in reasons()} == set(rule_names())
    for reason in reasons():
        assert told("en", reason) == reason.said
        german = told("de", reason)
        assert german != reason.said
        numbers = re.findall(r"\d+", reason.said.replace("100,000", "").replace(":00", ""))
        assert all(number in german for number in numbers)


@pytest.mark.parametrize(
    "reason",
    [
        Reason("night_shift", "three times the usual, at night"),
        Reason("spike", "far above what it pays"),
        Reason("listed", "the moon is on a list"),
    ],
)
def test_what_nobody_here_has_said_is_shown_as_it_was_written(reason: Reason):
    assert told("de", reason) == reason.said


async def test_an_owner_who_is_asked_for_what_is_odd_is_told_what_that_is(tmp_path: Path):
    async with open_town(tmp_path, config=watched(tmp_path)) as town:
        case = await flagged(town)
        ada = await Browser(town).joined()
        path = f"/wallet/payments/{case['payment']}"
        page = (await ada.page(path)).text
        shown = plain(page)
        assert "It looks odd: this device never paid this seller before." in shown
        assert "You asked to be told above" not in shown  # It is less than that.
        assert "never paid this seller before" in plain((await ada.page("/wallet")).text)
        german = plain((await ada.page(path, **{"accept-language": "de"})).text)
        assert "dieses Gerät hat diesen Verkäufer noch nie bezahlt" in german


async def test_an_owner_is_told_why_an_order_was_refused_and_its_seller_is_not(tmp_path: Path):
    async with open_town(tmp_path, config=watched(tmp_path)) as town:
        await flagged(town)
        answer = await town.ask("POST", "/v1/payments", town.payment(1000, payee="elsewhere"))
        path = f"/wallet/payments/{answer.json()['payment']}"
        shown = plain((await (await Browser(town).joined()).page(path)).text)
        assert "too unlike what this device does" in shown
        assert "100 times what this device usually pays" in shown
        seller = await (await Browser(town).joined("seller")).page(path)
        assert "usually pays" not in seller.text
