"""Our client pays x402 `upto`: it signs the most, the seller takes what was used."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from farthing.device import AtMost, WillNotPay, paid
from farthing.device.at_most import AT_MOST

from .stock_seller import PRICE, SHOP, stock_seller

TEA = SHOP + "/tea"


async def test_what_was_used_is_paid_and_what_it_costs_at_most_was_told_before(tmp_path: Path):
    async with stock_seller(tmp_path, "upto") as seller, seller.client() as http:
        told: list[AtMost] = []

        def tell(most: AtMost) -> None:
            assert seller.wire.sent == []
            told.append(most)

        seller.uses += [400]
        answer = await http.get(TEA, extensions={AT_MOST: tell})
        assert (answer.status_code, answer.json()) == (200, "tea")
        made = paid(answer)
        assert made is not None and made.amount.units == 400
        assert [(most.amount.units, most.scheme, most.held) for most in told] == [
            (PRICE, "upto", None)
        ]
        assert str(told[0]).startswith("costs at most 0.0015 USD to acc_")
        assert await seller.town.available("shop") == 400


async def test_what_tells_its_price_is_paid_rather(tmp_path: Path):
    async with stock_seller(tmp_path, "upto", "exact") as seller, seller.client() as http:
        made = paid(await http.get(TEA))
        assert made is not None and made.amount.units == PRICE
        [sent] = seller.wire.sent
        assert json.loads(base64.b64decode(sent))["accepted"]["scheme"] == "exact"


async def test_nothing_used_is_nothing_paid(tmp_path: Path):
    async with stock_seller(tmp_path, "upto") as seller, seller.client() as http:
        before = await seller.town.available("purse")
        seller.uses += [0]
        answer = await http.get(TEA)
        assert (answer.json(), paid(answer)) == ("tea", None)
        assert await seller.town.available("purse") == before
        assert http.paying.purse.journal.unresolved() == []


@pytest.mark.parametrize("limit", [{"cap": "0.001499 USD"}, {"payees": ["acc_" + "0" * 26]}])
async def test_the_most_is_held_to_the_limits(tmp_path: Path, limit: dict[str, Any]):
    async with stock_seller(tmp_path, "upto") as seller, seller.client(**limit) as http:
        with pytest.raises(WillNotPay):
            await http.get(TEA)
        assert seller.wire.sent == []


async def test_who_is_told_can_still_say_no(tmp_path: Path):
    async with stock_seller(tmp_path, "upto") as seller, seller.client() as http:

        def no(_most: AtMost) -> None:
            raise WillNotPay("above-limit", "not today")

        with pytest.raises(WillNotPay):
            await http.get(TEA, extensions={AT_MOST: no})
        assert (seller.wire.sent, http.paying.purse.journal.unresolved()) == ([], [])


async def test_a_lost_answer_is_not_paid_twice(tmp_path: Path):
    async with stock_seller(tmp_path, "upto") as seller, seller.client() as http:
        before = await seller.town.available("purse")
        seller.uses += [400, 400, 400]
        seller.wire.troubles += ["reply-lost"]
        with pytest.raises(Exception, match="the money is taken"):
            await http.get(TEA)
        with pytest.raises(Exception, match="the money is taken"):
            await http.get(TEA)
        assert seller.served == ["tea"]
        assert await seller.town.available("purse") == before - 400
