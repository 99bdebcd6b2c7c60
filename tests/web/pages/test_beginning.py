"""A first run: from nothing to a wallet that says what to do next, in words that can be copied."""

import html
from pathlib import Path

from tests.web.api.town import LOCAL, Town, open_town

from .browser import Browser

OPENS = 'action="/wallet/accounts/open"'


async def newcomer(town: Town, role: str = "owner") -> Browser:
    made = await town.made("POST", "/v1/owners", {"name": "New here"}, who=LOCAL)
    town.owners["new"] = made["id"]
    ada = Browser(town)
    assert (await ada.join(await ada.invited("new", roles=[role]))).status_code == 200
    return ada


async def test_a_first_account_is_opened_by_a_button_and_once(tmp_path: Path):
    async with open_town(tmp_path) as town:
        ada = await newcomer(town)
        assert OPENS in (await ada.page("/wallet")).text
        for _ in range(2):  # Pressed again, it opens no second one.
            assert (await ada.submit("/wallet/accounts/open", {"asset": "USD"})).status_code == 303
        items = (await town.made("GET", "/v1/accounts?limit=500", who=LOCAL))["items"]
        [account] = [one for one in items if one["owner"] == town.owners["new"]]
        shown = (await ada.page("/wallet")).text
        assert OPENS not in shown
        assert f'farthing credit {account["id"]} "10 USD"' in html.unescape(shown)
        credit = {"account": account["id"], "units": "10000000", "asset": "USD"}
        await town.made("POST", "/v1/credits", credit, who=LOCAL)
        assert "farthing credit" not in (await ada.page("/wallet")).text


async def test_an_account_in_what_nobody_counts_or_by_a_ward_is_not_opened(tmp_path: Path):
    async with open_town(tmp_path) as town:
        ada = await newcomer(town)
        odd = await ada.submit("/wallet/accounts/open", {"asset": "XYZ"})
        assert odd.status_code == 404
        assert OPENS in (await ada.page("/wallet")).text
        mia = Browser(town)
        assert (await mia.join(await mia.invited("new", roles=["ward"]))).status_code == 200
        assert OPENS not in (await mia.page("/wallet")).text
        assert (await mia.submit("/wallet/accounts/open", {"asset": "USD"})).status_code == 403
        assert OPENS in (await ada.page("/wallet")).text


async def test_what_is_sold_is_paid_into_an_account_that_no_device_pays_from(tmp_path: Path):
    async with open_town(tmp_path) as town:
        ada = await Browser(town).joined()  # All that she has is what her device pays from.
        shown = (await ada.page("/shop/price")).text
        assert "Open an account for sales" in shown
        assert town.accounts["purse"] not in shown
        for _ in range(2):
            sent = await ada.submit("/wallet/accounts/open", {"asset": "USD", "for": "sales"})
            assert sent.headers["location"] == "/shop/price"
        items = (await town.made("GET", "/v1/accounts?limit=500", who=LOCAL))["items"]
        mine = [one for one in items if one["owner"] == town.owners["buyer"]]
        [till] = [one["id"] for one in mine if one["name"] == "sales"]
        shown = (await ada.page("/shop/price")).text
        assert f'payee = "{till}"' in html.unescape(shown)
        assert "Open an account for sales" not in shown
