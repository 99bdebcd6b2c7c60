"""Cases in the console: the queue, one of them drawn, a verdict by passkey, two people."""

import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from farthing.codec import canonical_json
from tests.web.api.test_cases import flagged, watched
from tests.web.api.town import LOCAL, Town, open_town

from .browser import Browser
from .test_console import operator, plain

SAID = {"verdict": "fraud", "reason": "the locker was broken open"}


@contextlib.asynccontextmanager
async def at_work(
    folder: Path, **more: Any
) -> AsyncGenerator[tuple[Town, Browser, dict[str, Any]]]:
    """A hub with one case, and somebody who looks after it."""
    async with open_town(folder, config=watched(folder, **more)) as town:
        case = await flagged(town)
        yield town, await operator(town), case


async def say(grace: Browser, case: dict[str, Any], form: dict[str, str], proof: str = "") -> Any:
    """Read a verdict back and confirm it. Shape: `proof` is one for something else."""
    path = f"/console/cases/{case['id']}"
    checked = (await grace.submit(f"{path}/check", form)).text
    digest = checked.partition('data-subject="')[2].partition('"')[0]
    proof = proof or canonical_json(await grace.prove("decide-case", digest)).decode()
    return await grace.submit(f"{path}/decide", form | {"proof": proof})


async def shown(town: Town, case: dict[str, Any]) -> Any:
    return await town.made("GET", f"/v1/cases/{case['id']}", who=LOCAL)


async def test_what_waits_is_in_the_queue_with_what_was_odd(tmp_path: Path):
    async with at_work(tmp_path) as (_, grace, case):
        queue = (await grace.page("/console/cases")).text
        assert f'href="/console/cases/{case["id"]}"' in queue
        assert "this device never paid this seller before" in queue
        assert "meter → seller" in plain(queue)
        page = (await grace.page(f"/console/cases/{case['id']}")).text
        assert "its owner was asked" in plain(page)
        assert "meter wanted to pay this at seller" in plain(page)


async def test_what_has_to_do_with_it_is_drawn_and_said_in_a_table(tmp_path: Path):
    async with at_work(tmp_path) as (town, grace, case):
        first = (await town.made("GET", "/v1/payments?state=captured", who=LOCAL))["items"][0]
        page = (await grace.page(f"/console/cases/{case['id']}")).text
        drawing, table = page.partition('<svg class="graph"')[2].split("</svg>", 1)
        assert f'href="/console/log?find={first["id"]}"' in drawing
        assert 'aria-current="true"' in drawing
        assert drawing.count('class="paid') == drawing.count('class="edge') == 2
        assert "paid" in plain(f"<main>{table}")
        assert "$0.00001" in plain(f"<main>{table}").replace(" ", "")


@pytest.mark.rule("asvs.2.3.1", on="hub")
async def test_a_verdict_is_read_back_and_needs_a_passkey_for_just_that(tmp_path: Path):
    async with at_work(tmp_path) as (town, grace, case):
        path = f"/console/cases/{case['id']}"
        checked = await grace.submit(f"{path}/check", SAID)
        assert "the locker was broken open" in checked.text
        assert (await grace.submit(f"{path}/decide", SAID)).status_code == 401
        other = canonical_json(await grace.prove("decide-case", "another")).decode()
        assert (await say(grace, case, SAID, proof=other)).status_code == 401
        assert (await shown(town, case))["state"] == "open"
        done = await say(grace, case, SAID)
        assert (done.status_code, done.headers["location"]) == (303, path)
        found = await shown(town, case)
        assert (found["verdict"], found["decided_by"]) == ("fraud", grace.person["id"])
        page = plain((await grace.page(path)).text)
        assert "Fraud the locker was broken open Grace" in page
        assert "Nothing waits to be looked at." in (await grace.page("/console/cases")).text
        assert case["id"] in (await grace.page("/console/cases?state=decided")).text


async def test_who_comes_second_is_told_what_the_first_has_decided(tmp_path: Path):
    async with at_work(tmp_path) as (town, grace, case):
        assert (await say(grace, case, SAID)).status_code == 303
        alan = await operator(town)
        late = await say(alan, case, SAID | {"verdict": "legitimate"})
        assert late.status_code == 409
        anew = await say(alan, case, SAID | {"verdict": "legitimate", "anew": "yes"})
        assert anew.status_code == 303
        assert (await shown(town, case))["verdict"] == "legitimate"


async def test_where_it_takes_two_the_page_says_so_and_the_second_is_another(tmp_path: Path):
    async with at_work(tmp_path, four_eyes=True) as (town, grace, case):
        path = f"/console/cases/{case['id']}"
        assert "It takes two people here" in (await grace.page(path)).text
        for _ in range(2):
            assert (await say(grace, case, SAID)).status_code == 303
            assert (await shown(town, case))["state"] == "proposed"
        assert "You have said this." in (await grace.page(path)).text
        assert case["id"] in (await grace.page("/console/cases?state=proposed")).text
        alan = await operator(town)
        assert "One person has said this." in (await alan.page(path)).text
        assert (await say(alan, case, SAID | {"reason": "I saw it, too"})).status_code == 303
        assert (await shown(town, case))["state"] == "decided"


@pytest.mark.parametrize(
    "form",
    [{}, SAID | {"verdict": "guilty"}, SAID | {"reason": " "}, SAID | {"reason": "x" * 1001},
     SAID | {"reason": "x\u202ey"}],
)  # fmt: skip
async def test_a_verdict_that_cannot_be_read_is_refused(tmp_path: Path, form: dict[str, str]):
    async with at_work(tmp_path) as (town, grace, case):
        for step in ("check", "decide"):
            sent = await grace.submit(f"/console/cases/{case['id']}/{step}", form)
            assert sent.status_code == 400
        assert (await shown(town, case))["state"] == "open"


async def test_there_is_no_case_that_is_not_there(tmp_path: Path):
    async with at_work(tmp_path) as (_, grace, _case):
        assert (await grace.page("/console/cases/cas_none")).status_code == 404
        assert (await grace.submit("/console/cases/cas_none/check", SAID)).status_code == 404
        assert (await grace.page("/console/cases?state=shut")).status_code == 400
