"""x402 `upto` at the hub: an order for the most, settled once for what was used."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from farthing.protocols.client import asks
from farthing.protocols.x402_client import write

from .test_facilitator import SELLER, post, x402_body
from .town import FUNDS, Town, open_town


def upto(town: Town, most: int = 1500, used: int | None = None) -> dict[str, Any]:
    """Write what a seller sends: what was accepted, and what it requires now."""
    body = x402_body(town, town.order(most))
    body["paymentPayload"]["accepted"]["scheme"] = "upto"
    body["paymentRequirements"]["scheme"] = "upto"
    return settled(body, most if used is None else used)


def settled(body: dict[str, Any], used: int) -> dict[str, Any]:
    """Write the same for the amount that was used."""
    return body | {"paymentRequirements": body["paymentRequirements"] | {"amount": str(used)}}


async def test_the_most_is_held_and_what_was_used_is_taken(tmp_path: Path):
    async with open_town(tmp_path) as town:
        body = upto(town)
        assert (await post(town, "/verify", body))["isValid"]
        assert (await town.balance("purse"))["held"] == "1500"
        told = await post(town, "/settle", settled(body, 400))
        assert (told["success"], told["amount"]) == (True, "400")
        assert told["extra"]["receipt"]["statement"]["captured"] == "400"
        assert (await town.balance("purse"))["held"] == "0"
        assert await town.available("purse") == FUNDS - 400
        assert await town.available("shop") == 400


async def test_it_is_settled_without_verify_as_well(tmp_path: Path):
    async with open_town(tmp_path) as town:
        told = await post(town, "/settle", upto(town, used=1499))
        assert (told["success"], told["amount"]) == (True, "1499")
        assert await town.available("purse") == FUNDS - 1499


@pytest.mark.rule("x402.upto", on="hub")
@pytest.mark.parametrize("first", [0, 400, 1500])
async def test_it_is_settled_once_whatever_the_amount(tmp_path: Path, first: int):
    async with open_town(tmp_path) as town:
        body = upto(town)
        await post(town, "/verify", body)
        asked = (post(town, "/settle", settled(body, first)) for _ in range(20))
        told = await asyncio.gather(*asked)
        assert sum(one["success"] for one in told) == 1
        for again in (0, 400, 1000, 1500):
            assert not (await post(town, "/settle", settled(body, again)))["success"]
        assert await town.available("shop") == first
        assert await town.available("purse") == FUNDS - first


async def test_nothing_used_is_nothing_taken_and_told_again_under_the_sellers_key(tmp_path: Path):
    async with open_town(tmp_path) as town:
        body = settled(upto(town), 0)
        fields = {"idempotency-key": "mine"}
        first = (await town.ask("POST", "/settle", body, who=SELLER, headers=fields)).json()
        assert (first["success"], first["amount"]) == (True, "0")
        again = (await town.ask("POST", "/settle", body, who=SELLER, headers=fields)).json()
        assert again == first
        assert not (await post(town, "/settle", body))["success"]
        assert await town.available("purse") == FUNDS


@pytest.mark.rule("x402.upto", on="hub")
async def test_more_than_was_authorised_and_another_scheme_are_refused(tmp_path: Path):
    async with open_town(tmp_path) as town:
        body = upto(town)
        exact = body | {"paymentRequirements": body["paymentRequirements"] | {"scheme": "exact"}}
        for wrong in (settled(body, 1501), exact):
            answer = await town.ask("POST", "/settle", wrong, who=SELLER)
            assert (answer.status_code, answer.json()["code"]) == (400, "requirements-mismatch")
        answer = await town.ask("POST", "/verify", settled(body, 400), who=SELLER)
        assert answer.json()["code"] == "requirements-mismatch"
        less = settled(x402_body(town, town.order()), 400)
        answer = await town.ask("POST", "/settle", less, who=SELLER)
        assert answer.json()["code"] == "requirements-mismatch"
        assert await town.available("purse") == FUNDS


async def test_all_schemes_are_said_to_be_settled(tmp_path: Path):
    async with open_town(tmp_path) as town:
        kinds = (await town.made("GET", "/supported"))["kinds"]
        assert [kind["scheme"] for kind in kinds] == ["exact", "upto", "batch-settlement"]


async def test_our_own_client_tells_a_price_from_the_most_that_it_can_come_to(tmp_path: Path):
    async with open_town(tmp_path) as town:
        required = upto(town)["paymentRequirements"]
        accepts = [required | {"scheme": scheme} for scheme in ("upto", "exact", "another")]
        asked = {"x402Version": 2, "accepts": accepts, "resource": {"url": "https://a"}}
        found = asks([("PAYMENT-REQUIRED", write(asked))])
        assert [(ask.scheme, ask.at_most) for ask in found] == [("upto", True), ("exact", False)]
