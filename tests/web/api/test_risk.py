"""What was judged of an order: who is told, who is not, and what a hub does that is told to act."""

import pytest

from farthing.errors import BadConfig
from farthing.settings import RiskSettings
from tests.web.api.town import LOCAL, changed, config_in, open_town

EAGER = {
    "rules": {"new_payee": {"payments_min": 1}, "spike": {"payments_min": 1}},
    "typologies": {"bold": {"weights": {"new_payee": 1, "spike": 1}, "review": 1, "stop": 2}},
}


def eager(folder, mode):
    return changed(config_in(folder), risk=RiskSettings(mode=mode, **EAGER))


async def elsewhere(town):
    """Open another account to be paid into."""
    body = {"asset": "USD", "owner": town.owners["seller"], "name": "elsewhere"}
    town.accounts["elsewhere"] = (await town.made("POST", "/v1/accounts", body, who=LOCAL))["id"]


async def seen(town, payment, who):
    return (await town.made("GET", f"/v1/payments/{payment}", who=who)).get("risk")


@pytest.mark.parametrize("mode", ["shadow", "on"])
async def test_the_payers_owner_sees_why_and_neither_payee_nor_device_does(tmp_path, mode):
    async with open_town(tmp_path, config=eager(tmp_path, mode)) as town:
        await elsewhere(town)
        first = await town.pay(10)
        odd = (await town.ask("POST", "/v1/payments", town.payment(10, payee="elsewhere"))).json()
        assert (first["state"], odd["state"]) == (
            "captured",
            "captured" if mode == "shadow" else "awaiting",
        )
        assert "risk" not in odd
        risk = await seen(town, odd["id"], "buyer.read")
        assert risk == {
            "act": "allow" if mode == "shadow" else "ask",
            "would": "ask",
            "typologies": ["bold"],
            "reasons": [
                {
                    "rule": "new_payee",
                    "said": "this device never paid this seller before",
                    "acts": mode == "on",
                }
            ],
        }
        assert await seen(town, odd["id"], "operator") == risk
        for who in ("seller.read", "meter"):
            assert await seen(town, odd["id"], who) is None
        assert await seen(town, first["id"], "buyer.read") is None
        [listed] = [
            one
            for one in (await town.made("GET", "/v1/payments", who="buyer.read"))["items"]
            if "risk" in one
        ]
        assert listed["risk"] == risk


async def test_a_refusal_says_no_more_than_that_to_who_pays(tmp_path):
    async with open_town(tmp_path, config=eager(tmp_path, "on")) as town:
        await elsewhere(town)
        await town.pay(10)
        answer = await town.ask("POST", "/v1/payments", town.payment(1000, payee="elsewhere"))
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (422, "risk-refused")
        assert "never paid" not in answer.text
        assert "times" not in answer.text
        events = await town.made("GET", "/v1/events?limit=500", who="buyer.read")
        [flagged] = [one for one in events["items"] if one["kind"] == "payment.flagged"]
        assert flagged["body"]["reasons"] == (
            "this device never paid this seller before; 100 times what this device usually pays"
        )
        events = await town.made("GET", "/v1/events?limit=500", who="seller.read")
        assert "payment.flagged" not in {one["kind"] for one in events["items"]}


async def test_a_hub_does_not_start_with_a_rule_that_is_not_there(tmp_path):
    wrong = changed(config_in(tmp_path), risk=RiskSettings(rules={"velocty": {}}))
    with pytest.raises(BadConfig, match="did you mean velocity"):
        async with open_town(tmp_path, config=wrong):
            pass
