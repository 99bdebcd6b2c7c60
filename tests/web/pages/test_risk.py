"""Rules in the console: how each is set, what it said lately, and whether it was right."""

import re
from pathlib import Path

import pytest

from farthing.risk.settings import rule_names
from farthing.settings import RiskSettings
from farthing.web.pages.words import words
from tests.web.api.test_cases import decide, flagged, watched
from tests.web.api.test_risk import EAGER
from tests.web.api.town import changed, config_in, open_town

from .test_console import operator, plain


async def test_a_rule_is_shown_with_how_often_it_spoke_and_what_that_came_to(tmp_path: Path):
    async with open_town(tmp_path, config=watched(tmp_path)) as town:
        case = await flagged(town)
        grace = await operator(town)
        shown = plain((await grace.page("/console/risk")).text)
        assert "Rules that are on ask owners, and refuse." in shown
        assert "new_payee on the first payment to a seller 1 50.00 %" in shown
        assert "velocity on too many orders within a minute 0 said nothing" in shown
        assert "its owner was asked 1" in shown
        assert "of 2 orders" in shown
        await decide(town, case)
        shown = plain((await grace.page("/console/risk")).text)
        assert "1 50.00 % fraud: 1 of 1" in shown


async def test_each_figure_leads_to_the_cases_that_it_counts(tmp_path: Path):
    async with open_town(tmp_path, config=watched(tmp_path)) as town:
        case = await flagged(town)
        grace = await operator(town)
        links = re.findall(
            r'href="(/console/cases\?lately=[^"]+)">(\d+)<',
            (await grace.page("/console/risk")).text,
        )
        assert {link.partition("=")[2].partition(":")[0] for link, _ in links} == {
            "all", "rule", "act", "like",
        }  # fmt: skip
        for link, count in links:
            shown = (await grace.page(link)).text
            assert shown.count('<li class="row') == int(count), link
            assert (f"/console/cases/{case['id']}" in shown) == (count == "1"), link
        odd = await grace.page("/console/cases?lately=who:ada")
        assert odd.status_code == 400


@pytest.mark.parametrize(
    ("mode", "state", "said"),
    [("off", "off", "Nobody looks at orders here"), ("shadow", "shadow", "stop nothing")],
)
async def test_what_a_hubs_mode_makes_of_a_rule_is_what_is_shown(tmp_path, mode, state, said):
    rules = {"spike": {"state": "on"}, "listed": {"state": "off"}}
    config = changed(config_in(tmp_path), risk=RiskSettings(mode=mode, rules=rules))
    async with open_town(tmp_path, config=config) as town:
        shown = plain((await (await operator(town)).page("/console/risk")).text)
        assert said in shown
        assert f"spike {state} many times" in shown
        assert "listed off what you" in shown


async def test_what_is_only_watched_says_what_would_have_been_done(tmp_path: Path):
    config = changed(config_in(tmp_path), risk=RiskSettings(mode="shadow", **EAGER))
    async with open_town(tmp_path, config=config) as town:
        await flagged(town)
        shown = plain((await (await operator(town)).page("/console/risk")).text)
        assert "only watched, and paid 1" in shown
        assert "asked about, did those in shadow count 1" in shown


def test_every_rule_that_comes_with_a_hub_is_told_in_words():
    told = {name.removeprefix("risk.rule.") for name in words("en") if ".rule." in name}
    assert told == set(rule_names())
