"""What an owner calls its budgets is nobody else's business, and never in the history."""

import json

import pytest

from tests.web.api.town import open_town

SECRET = "Jane's birthday"


@pytest.mark.rule("asvs.8.2.3", on="hub")
async def test_a_budgets_name_reaches_neither_the_payee_nor_the_history(tmp_path):
    async with open_town(tmp_path) as town:
        budget = {"name": SECRET, "per": "day", "limit": "1"}
        await town.enrol("poor", "purse", await town.mandate(budgets=[budget]))
        body = town.payment(1500, machine="poor")
        tried = await town.ask("POST", "/v1/payments/authorise", body, who="seller.seller")
        assert tried.json()["reason"] == "mandate-budget"
        path = f"/v1/payments/{tried.json()['payment']}"
        told = [
            tried.text,
            (await town.ask("GET", path, who="seller.read")).text,
            (await town.ask("GET", "/v1/payments", who="seller.read")).text,
            (await town.ask("GET", "/v1/payments/export?format=jsonl", who="seller.read")).text,
            (await town.ask("GET", "/v1/events?limit=50", who="seller.read")).text,
        ]
        assert all("Jane" not in text for text in told)
        assert all("mandate-budget" in text for text in told)
        mine = (await town.ask("GET", path, who="buyer.read")).json()
        assert SECRET in mine["detail"]
        assert "Jane" not in json.dumps(mine["receipt"])
        events = (await town.ask("GET", "/v1/events?limit=50", who="buyer.read")).text
        assert "Jane" in events
        leaves = (await town.dump())["leaves"]
        assert all(b"Jane" not in leaf[3] for leaf in leaves)


async def test_what_a_seller_says_at_a_void_is_not_in_the_history_either(tmp_path):
    async with open_town(tmp_path) as town:
        held = (await town.hold())["payment"]
        body = {"reason": "sold out, says Bob"}
        await town.made("POST", f"/v1/payments/{held}/void", body, who="seller.seller")
        shown = await town.made("GET", f"/v1/payments/{held}", who="buyer.read")
        assert shown["reason"] == "sold out, says Bob"
        assert all(b"Bob" not in leaf[3] for leaf in (await town.dump())["leaves"])
