"""Rules in the console: how each is set, what it said lately, and whether it was right."""

import asyncio
import random
import re
from pathlib import Path

import pytest

from farthing.opening import key_ring
from farthing.risk.settings import rule_names
from farthing.risk.training import Seen, train
from farthing.risk.traits import NAMES
from farthing.services.model_shelf import Role, Shelf
from farthing.services.scorers import Drifted, Scorers
from farthing.services.trials import Asked, Trial, Trials
from farthing.settings import RiskSettings
from farthing.web.pages.words import words
from tests.web.api.test_cases import decide, flagged, watched
from tests.web.api.test_risk import EAGER
from tests.web.api.town import Town, changed, config_in, open_town

from .browser import Browser
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


async def test_an_owner_is_told_what_looked_odd_and_no_limit_that_did_not_ask(tmp_path: Path):
    async with open_town(tmp_path, config=watched(tmp_path)) as town:
        case = await flagged(town)
        ada = await Browser(town).joined()
        for path in ("/wallet", f"/wallet/payments/{case['payment']}"):
            shown = plain((await ada.page(path)).text)
            assert "It looks odd: " in shown, path
            assert "first payment to this seller" in shown or "never paid this seller" in shown
            assert "You asked to be told above" not in shown


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


def shelf_in(town: Town) -> Shelf:
    desk = town.hub.desk
    folder = desk.config.path("models")
    return Shelf(folder, desk.ctx.identity.certificates.__contains__)


def promote(town: Town, role: Role = "champion", seed: int = 1) -> str:
    """Have a detector score that was trained on nothing in particular, and name it."""
    shelf, dice = shelf_in(town), random.Random(seed)
    rows = [[dice.randrange(3000) for _ in NAMES] for _ in range(300)]
    seen = Seen(rows, [False] * 300, list(range(300)), {"denied": 12, "case": 3})
    name = shelf.add(train("detector", seen, 1_790_000_000))
    shelf.give(role, name, key_ring(town.hub.desk.config).signing(), town.hub.ctx.clock)
    return name


async def test_models_are_shown_with_what_they_are_and_that_they_score(tmp_path: Path):
    async with open_town(tmp_path, config=watched(tmp_path)) as town:
        grace = await operator(town)
        empty = plain((await grace.page("/console/risk")).text)
        assert "No model scores yet" in empty
        champion, challenger = promote(town), promote(town, "challenger", seed=2)
        town.hub.desk.scorers = scorers = Scorers(shelf_in(town))
        scorers.look()
        scorers.drifts["champion"] = Drifted(1, 500, 0.3, "day_units", 0.41)
        page = (await grace.page("/console/risk")).text
        shown = plain(page)
        assert 'class="health good">Scores; 0 orders' in page
        assert champion in shown
        assert challenger in shown
        digest = shelf_in(town).roles().champion.digest
        assert f"digest {digest[:16]}…" in shown
        assert "on orders 300 labels decided cases: 3, denied by owners: 12" in shown
        assert "much: train another 0.30 of 500 newest orders; day_units has changed most" in shown
        assert "not known before 200 orders are scored here" in shown  # Of the challenger.
        assert "trained 2026-09-21" in shown


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "It scores no more; rules judge alone."), ("de", "Regeln urteilen allein.")],
)
async def test_a_model_that_fails_is_seen_with_why_and_what_to_do(tmp_path, language, said):
    async with open_town(tmp_path, config=watched(tmp_path)) as town:
        grace, name = await operator(town), promote(town)
        shelf_in(town).folder.joinpath(f"{name}.json").unlink()
        page = (await grace.page("/console/risk", **{"accept-language": language})).text
        shown = plain(page)
        assert re.search(r'class="health bad">[^<]*' + re.escape(said.split(";")[-1].strip()), page)
        assert f"there is no model {name}" in shown
        assert "farthing risk models promote NAME" in shown
        promote(town)
        town.hub.desk.scorers = scorers = Scorers(shelf_in(town))
        scorers.look()
        assert "health bad" not in (await grace.page("/console/risk")).text
        scorers.by_role["champion"] = scorers.by_role["champion"]._replace(rank=lambda _: 1 // 0)
        scorers.ranks([[0] * len(NAMES)])
        broken = (await grace.page("/console/risk")).text
        assert "health bad" in broken
        assert "ZeroDivisionError" in broken


async def test_roles_that_nobody_signed_are_a_failure_as_well(tmp_path: Path):
    async with open_town(tmp_path, config=watched(tmp_path)) as town:
        promote(town)
        shelf_in(town).folder.joinpath("roles.json").write_text("{}")
        page = (await (await operator(town)).page("/console/risk")).text
        assert "health bad" in page
        assert "models/roles.json is not used" in plain(page)


async def tried(town: Town, grace, **form: str) -> str:
    """Try rules, wait for what comes of it, and give the page's text."""
    sent = await grace.submit("/console/risk/try", {"days": "30", "rules": ""} | form)
    assert (sent.status_code, sent.headers["location"]) == (303, "/console/risk#tried")
    async with asyncio.timeout(20):
        while town.hub.desk.trials.last().state == "running":  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    return plain((await grace.page("/console/risk")).text)


async def test_rules_are_tried_on_the_past_from_the_page(tmp_path: Path):
    config = changed(config_in(tmp_path), risk=RiskSettings(mode="shadow", **EAGER))
    async with open_town(tmp_path, config=config) as town:
        case = await flagged(town)
        await decide(town, case)
        grace = await operator(town)
        assert "Nothing was tried yet." in plain((await grace.page("/console/risk")).text)
        shown = await tried(town, grace)
        assert "2 orders of 30 days were judged" in shown
        assert "With the rules of this hub." in shown
        assert "owner asked 1 1 1 let pass 1 1" in shown
        assert "Of what people have decided Fraud owner asked 1" in shown
        assert "Rules that spoke new_payee 1" in shown
        assert case["payment"] in shown
        told = "[risk.rules.new_payee]\nstate = 'off'\n"
        shown = await tried(town, grace, rules=told)
        assert "With these rules [risk.rules.new_payee] state = 'off'" in shown
        assert "owner asked 0 0 0 let pass 2 2" in shown
        part = await grace.page("/console/risk/tried")
        assert part.text.startswith('<div id="tried" class="trial">')


async def test_what_models_would_have_scored_is_part_of_it(tmp_path: Path):
    async with open_town(tmp_path, config=watched(tmp_path)) as town:
        await flagged(town)
        grace, name = await operator(town), promote(town)
        shown = await tried(town, grace)
        assert f"Champion, heard by the rules {name} 2 orders scored, 0 of them" in shown
        assert "rank_min odd of them bad asked for it refused for it 99000" in shown
        shelf_in(town).folder.joinpath(f"{name}.json").unlink()
        shown = await tried(town, grace)
        assert f"It scores no more; rules judge alone. there is no model {name}" in shown


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"days": "0"}, 400, "days are a number from 1 to 90"),
        ({"days": "91"}, 400, "days are a number"),
        ({"days": "٣"}, 400, "days are a number"),
        ({"rules": "x" * 4001}, 400, "4000 characters at most"),
        ({"rules": "[risk"}, 422, "at end of document"),
        ({"rules": "[server]\nport = 1"}, 422, "write [risk], [risk.rules.NAME]"),
        ({"rules": "[risk.rules.velocty]"}, 422, "did you mean velocity?"),
        ({"rules": "[risk.own.x]\nwhen = 'unitz > 1'\nsays = 'x'"}, 422, "is no fact"),
        ({"rules": "x=" + "[" * 3000}, 422, "risk"),
    ],
)
async def test_what_cannot_be_meant_is_read_back_and_nothing_is_tried(tmp_path, form, status, said):
    async with open_town(tmp_path, config=watched(tmp_path)) as town:
        grace = await operator(town)
        sent = await grace.submit("/console/risk/try", {"days": "7", "rules": ""} | form)
        assert sent.status_code == status
        assert said in plain(sent.text)
        if status == 422:
            assert 'aria-invalid="true"' in sent.text
            assert form["rules"].partition("\n")[0] in plain(sent.text)
        assert town.hub.desk.trials.last() is None


async def test_one_is_tried_at_a_time_and_how_far_it_is_can_be_seen(tmp_path: Path):
    async with open_town(tmp_path, config=watched(tmp_path)) as town:
        desk, grace = town.hub.desk, await operator(town)
        running = Trial(Asked("per_1", desk.ctx.now_s(), 7), "running", desk.ctx.now_s(), 40, 120)
        desk.trials._note(running)
        sent = await grace.submit("/console/risk/try", {"days": "7", "rules": ""})
        assert sent.status_code == 303
        page = (await grace.page("/console/risk")).text
        assert "Replaying: 40 of 120 orders" in page
        assert 'max="120" value="40"' in page
        assert desk.trials.last() == running
        other = Trials(desk.ctx, desk.config.path("last-backtest.json"))  # Another process's.
        assert other.last() == running
