"""A category is the payee's word: whoever carries an order may not choose one that suits."""

import pytest

from tests.web.api.town import open_town


@pytest.fixture
def folder(tmp_path):
    return tmp_path


async def tea_drinker(town) -> None:
    """A stolen device that may buy tea and nothing else."""
    await town.enrol("stolen", "purse", await town.mandate(categories=["tea"]))


async def pay(town, category, who="nobody", order=None, **members):
    body = town.payment(1500, machine="stolen", **members) if order is None else order
    return await town.ask("POST", "/v1/payments", body | {"category": category}, who=who)


async def offer(town, **terms):
    body = {
        "payee": town.accounts["shop"], "path": "/tea", "asset": "USD", "amount": "1500",
        "category": "tea",
    } | terms  # fmt: skip
    return await town.made("POST", "/v1/offers", body, who="seller.seller")


async def test_a_thief_cannot_call_gold_tea(folder):
    async with open_town(folder) as town:
        await tea_drinker(town)
        refused = await pay(town, "tea")
        assert (refused.status_code, refused.json()["code"]) == (403, "category-not-vouched")
        assert (await pay(town, "")).json()["code"] == "mandate-category"
        assert (await pay(town, "tea", who="buyer.seller")).status_code == 403
        assert await town.available("shop") == 0


async def test_the_payees_standing_offer_at_this_price_vouches(folder):
    async with open_town(folder) as town:
        await tea_drinker(town)
        for other in (
            {"amount": "1499"},
            {"category": "gold"},
            {"valid_from": "2100-01-01T00:00:00Z"},
        ):
            await offer(town, **other)
        assert (await pay(town, "tea")).status_code == 403
        stands = await offer(town)
        order = town.payment(1500, machine="stolen")
        assert (await pay(town, "tea", order=order)).status_code == 200
        await town.made("POST", f"/v1/offers/{stands['id']}/withdraw", who="seller.seller")
        assert (await pay(town, "tea")).status_code == 403
        # What was taken before is answered as before.
        assert (await pay(town, "tea", order=order)).json()["state"] == "captured"


async def test_the_payees_own_key_vouches(folder):
    async with open_town(folder) as town:
        await tea_drinker(town)
        assert (await pay(town, "tea", who="seller.seller")).status_code == 200
        assert (await pay(town, "tea", who="seller.read")).status_code == 403
