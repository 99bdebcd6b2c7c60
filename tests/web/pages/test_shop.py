"""What a shop earned, the keys it sells with, and money that is given back."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

from farthing.codec import canonical_json
from farthing.web.pages.shop import Earned
from tests.web.api.town import LOCAL, NOBODY, Town, open_town

from .browser import Browser


@contextlib.asynccontextmanager
async def selling(folder: Path) -> AsyncIterator[tuple[Town, Browser]]:
    async with open_town(folder) as town:
        yield town, await Browser(town).joined("seller")


async def proof(ada: Browser, act: str, subject: str = "") -> dict[str, str]:
    return {"proof": canonical_json(await ada.prove(act, subject)).decode()}


async def test_what_was_sold_is_added_up_and_what_was_given_back_is_not_in_it(tmp_path: Path):
    async with selling(tmp_path) as (town, ada):
        assert "Nothing was sold" in (await ada.page("/shop")).text
        paid = [await town.pay(amount) for amount in (1500, 2_500)]
        await town.hold(9_000)
        shown = (await ada.page("/shop")).text
        assert "sales: 2" in shown
        assert re.search(r'class="big">.*0\.00</span>4<', shown), shown
        body = {"units": "500"}
        await town.made("POST", f"/v1/payments/{paid[0]['id']}/refunds", body, who="seller.seller")
        assert "0.00</span>35<" in (await ada.page("/shop")).text


async def test_a_sale_is_given_back_with_a_passkey_by_who_was_paid(tmp_path: Path):
    async with selling(tmp_path) as (town, ada):
        paid = (await town.pay(1500))["id"]
        path = f"/wallet/payments/{paid}/refund"
        assert (await ada.submit(path, {})).status_code == 401
        buyer = await Browser(town).joined("buyer")
        assert (await buyer.submit(path, {})).status_code == 404
        assert (await ada.submit(path, await proof(ada, "refund", paid))).status_code == 303
        shown = await town.made("GET", f"/v1/payments/{paid}", who=LOCAL)
        assert shown["refunded"] == "1500"
        assert "Refunded" in (await ada.page(f"/wallet/payments/{paid}")).text


async def test_a_key_is_made_with_a_passkey_shown_once_and_revoked_without(tmp_path: Path):
    async with selling(tmp_path) as (town, ada):
        assert (await ada.submit("/shop/keys/make", {"label": "till"})).status_code == 401
        form = {"label": "till"} | await proof(ada, "make-key")
        found = re.search(
            "data-secret>(fk_[^<]+)<", (await ada.submit("/shop/keys/make", form)).text
        )
        assert found
        bearer = {"authorization": f"Bearer {found[1]}"}
        offers = await town.ask("GET", "/v1/offers", who=NOBODY, headers=bearer)
        assert offers.status_code == 200
        assert found[1] not in (await ada.page("/shop")).text
        keys = await town.made("GET", "/v1/keys", who=LOCAL)
        key = next(one for one in keys["items"] if one["label"] == "till")
        assert key["scopes"] == ["seller"]
        buyer = await Browser(town).joined("buyer")
        assert (await buyer.submit("/shop/keys/revoke", {"key": key["id"]})).status_code == 404
        assert (await ada.submit("/shop/keys/revoke", {"key": key["id"]})).status_code == 303
        assert (await town.ask("GET", "/v1/offers", headers=bearer)).status_code == 401


def test_a_bar_is_as_high_as_its_day_and_anything_at_all_is_seen():
    earned = Earned("USD", days=[0, 1, 50, 100, 0, 0, 0])
    assert [height for _, height in earned.bars()] == [0, 2, 50, 100, 0, 0, 0]
    assert [height for _, height in Earned("USD").bars()] == [0] * 7
