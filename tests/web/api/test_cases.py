"""Cases over the API: who may look, what is refused, and what two people see at once."""

import asyncio

import pytest

from farthing.settings import RiskSettings

from .test_risk import EAGER, elsewhere
from .town import LOCAL, changed, config_in, open_town

FRAUD = {"verdict": "fraud", "reason": "it never paid there"}


def watched(folder, **more):
    return changed(config_in(folder), risk=RiskSettings(mode="on", **EAGER, **more))


async def flagged(town):
    """Have a payment asked about, and give its case."""
    await elsewhere(town)
    await town.pay(10)
    await town.ask("POST", "/v1/payments", town.payment(10, payee="elsewhere"))
    [case] = (await town.made("GET", "/v1/cases", who=LOCAL))["items"]
    return case


async def decide(town, case, who="operator", **more):
    return await town.ask("POST", f"/v1/cases/{case['id']}/decide", FRAUD | more, who=who)


async def test_whether_there_is_a_case_is_nobodys_business_but_the_operators(tmp_path):
    async with open_town(tmp_path, config=watched(tmp_path)) as town:
        case = await flagged(town)
        nowhere = {"id": f"cas_{'0' * 26}"}
        for who in ("buyer.owner", "buyer.read", "seller.seller", "nobody"):
            answers = [await decide(town, one, who) for one in (case, nowhere)]
            answers += [await town.ask("GET", f"/v1/cases/{one['id']}", who=who) for one in
                        (case, nowhere)]  # fmt: skip
            assert {one.status_code for one in answers} == {401 if who == "nobody" else 403}
            assert len({one.json()["detail"] for one in answers}) == 1
        missing = await decide(town, nowhere)
        assert (missing.status_code, missing.json()["code"]) == (404, "no-such-case")
        assert (await town.made("GET", "/v1/cases", who=LOCAL))["items"] == [case]


@pytest.mark.parametrize(
    "query, code",
    [
        ("state=shut", "invalid-filter"),
        ("verdict=guilty", "invalid-filter"),
        ("limit=0", "invalid-limit"),
        ("cursor=YWNjXzE", "invalid-cursor"),
    ],
)
async def test_a_list_of_what_cannot_be_is_refused(tmp_path, query, code):
    async with open_town(tmp_path) as town:
        answer = await town.ask("GET", f"/v1/cases?{query}", who=LOCAL)
        assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_cases_come_in_pages(tmp_path):
    async with open_town(tmp_path, config=watched(tmp_path)) as town:
        first = await flagged(town)
        await town.ask("POST", "/v1/payments", town.payment(1000))
        told = await town.made("GET", "/v1/cases?limit=1", who=LOCAL)
        assert told["items"][0]["id"] > first["id"]
        rest = await town.made("GET", f"/v1/cases?limit=1&cursor={told['next']}", who=LOCAL)
        assert rest["items"] == [first]


async def test_what_two_people_decide_at_once_is_what_one_of_them_said(tmp_path):
    async with open_town(tmp_path, config=watched(tmp_path)) as town:
        case = await flagged(town)
        found = await asyncio.gather(
            decide(town, case), decide(town, case, LOCAL, verdict="legitimate")
        )
        assert sorted(one.status_code for one in found) == [200, 409]
        [late] = [one for one in found if one.status_code == 409]
        [early] = [one for one in found if one.status_code == 200]
        assert late.json()["code"] == "case-decided"
        who = LOCAL if early.json()["decided_by"] == "operator" else "operator"
        again = await decide(town, case, who, verdict=early.json()["verdict"])
        assert again.json() == early.json()


async def test_two_keys_are_two_people_where_it_takes_two(tmp_path):
    async with open_town(tmp_path, config=watched(tmp_path, four_eyes=True)) as town:
        case = await flagged(town)
        for _ in range(2):
            assert (await decide(town, case)).json()["state"] == "proposed"
        done = (await decide(town, case, LOCAL)).json()
        assert (done["state"], done["decided_by"]) == ("decided", "operator")
        assert done["proposed_by"].startswith("key_")


async def test_a_reason_is_kept_as_it_was_written_and_shown_to_nobody_else(tmp_path):
    async with open_town(tmp_path, config=watched(tmp_path)) as town:
        case = await flagged(town)
        written = "<script>alert(1)</script> & 'Ünïcode' {0}"
        done = (await decide(town, case, reason=written)).json()
        assert done["steps"][0]["reason"] == written
        events = await town.made("GET", "/v1/events?limit=500", who=LOCAL)
        [told] = [one for one in events["items"] if one["kind"] == "case.decided"]
        assert told["body"]["reason"] == written
        events = await town.ask("GET", "/v1/events?limit=500", who="buyer.read")
        assert "case." not in events.text


@pytest.mark.parametrize(
    "body",
    [
        {"verdict": "guilty", "reason": "x"},
        {"verdict": "fraud"},
        {"verdict": "fraud", "reason": "  "},
        {"verdict": "fraud", "reason": "x" * 1001},
        {"verdict": "fraud", "reason": "x\u202ey"},
        {"verdict": "fraud", "reason": "x", "by": "per_another"},
    ],
)
async def test_a_verdict_that_cannot_be_read_changes_nothing(tmp_path, body):
    async with open_town(tmp_path, config=watched(tmp_path)) as town:
        case = await flagged(town)
        answer = await town.ask("POST", f"/v1/cases/{case['id']}/decide", body, who=LOCAL)
        assert answer.status_code == 400
        assert (await town.made("GET", "/v1/cases", who=LOCAL))["items"] == [case]
