"""What a shop earned, sold and counted, the keys it sells with, and money that is given back."""

import contextlib
import html
import re
import shlex
from collections.abc import AsyncGenerator
from pathlib import Path

from farthing.codec import canonical_json
from farthing.web.pages.shop import Earned
from farthing.web.price_file import read_prices
from tests.web.api.town import LOCAL, NOBODY, Town, open_town

from .browser import Browser


@contextlib.asynccontextmanager
async def selling(folder: Path) -> AsyncGenerator[tuple[Town, Browser]]:
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
        assert re.search(r'class="big">.*"noughts">\.00</span>4<', shown), shown
        body = {"units": "500"}
        await town.made("POST", f"/v1/payments/{paid[0]['id']}/refunds", body, who="seller.seller")
        assert '"noughts">.00</span>35<' in (await ada.page("/shop")).text


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


async def test_a_part_of_a_sale_is_read_back_and_given_back_with_its_reason(tmp_path: Path):
    async with selling(tmp_path) as (town, ada):
        paid = (await town.pay(1500))["id"]
        path = f"/wallet/payments/{paid}/refund"
        typed = {"amount": "0.0005", "reason": "half empty"}
        shown = (await ada.submit(f"{path}/check", typed)).text
        assert f'data-subject="{paid}:500"' in shown
        assert "half empty" in shown
        given = {"units": "500", "reason": "half empty"}
        for other in ("", ":499", ":1500"):  # What was confirmed is another amount.
            form = given | await proof(ada, "refund", paid + other)
            assert (await ada.submit(path, form)).status_code == 401, other
        form = given | await proof(ada, "refund", f"{paid}:500")
        assert (await ada.submit(path, form)).status_code == 303
        assert (await ada.submit(path, form)).status_code != 303  # A proof is good once.
        assert (await town.made("GET", f"/v1/payments/{paid}", who=LOCAL))["refunded"] == "500"
        late = given | {"units": "1001"}
        assert (await ada.submit(path, late | await proof(ada, "refund", paid))).status_code == 400
        for amount in ("0", "0.001001", "x", "-1"):
            answer = await ada.submit(f"{path}/check", {"amount": amount})
            assert answer.status_code == 400, amount
        buyer = await Browser(town).joined("buyer")
        assert (await buyer.submit(f"{path}/check", typed)).status_code == 404


async def test_a_refund_that_the_account_does_not_hold_moves_nothing(tmp_path: Path):
    async with selling(tmp_path) as (town, ada):
        paid = (await town.pay(1500))["id"]
        moving = {"account": town.accounts["shop"], "asset": "USD", "units": "1000"}
        moving |= {"rail": "simulated", "place": "ok"}
        await town.made("POST", "/v1/payouts", moving, who="seller.owner")
        form = await proof(ada, "refund", paid)
        answer = await ada.submit(f"/wallet/payments/{paid}/refund", form)
        assert answer.status_code == 422
        assert "Your account holds less than that" in answer.text
        assert (await town.made("GET", f"/v1/payments/{paid}", who=LOCAL))["refunded"] == "0"
        assert await town.available("shop") == 500


async def test_the_shop_shows_what_was_sold_and_paid_out(tmp_path: Path):
    async with selling(tmp_path) as (town, ada):
        assert "No sale yet" in (await ada.page("/shop")).text
        paid = (await town.pay(1500))["id"]
        moving = {"account": town.accounts["shop"], "asset": "USD", "units": "7"}
        moving |= {"rail": "simulated", "place": "ok"}
        await town.made("POST", "/v1/payouts", moving, who="seller.owner")
        shown = (await ada.page("/shop")).text
        assert re.findall(r'data-payment="(pay_\w+)"', shown) == [paid]
        assert "Paid out" in shown
        buyer = await Browser(town).joined("buyer")
        assert "No sale yet" in (await buyer.page("/shop")).text  # It bought.


async def test_usage_is_counted_by_what_is_paid_for(tmp_path: Path):
    async with selling(tmp_path) as (town, ada):
        assert "Nothing is sold by count yet" in (await ada.page("/shop/usage")).text
        for units in (40, 2):
            session = await town.session(1000)
            assert (await town.draw(session, units)).status_code == 200
        shown = (await ada.page("/shop/usage")).text
        facts = re.findall(r'<dd class="figure">(.*?)</dd>', shown)
        assert facts[:3] == ["42", "2", "2"]
        assert "GET /readings" in shown
        assert re.sub("<[^>]+>", "", facts[3]) == "$0.001958"
        buyer = await Browser(town).joined("buyer")
        assert "Nothing is sold by count yet" in (await buyer.page("/shop/usage")).text


async def test_a_price_file_is_written_from_what_was_typed_and_read_as_the_proxy_reads_it(
    tmp_path: Path,
):
    async with selling(tmp_path) as (town, ada):
        given = (await ada.page("/shop/price")).text
        assert town.accounts["shop"] in given
        asked = {"path": "/it's/{name}", "price": "0.02", "per": "second",
                 "upstream": "http://api.test/$(reboot)"}  # fmt: skip
        answer = await ada.http.get("/shop/price", params=asked, headers={"accept": "text/html"})
        code = [
            html.unescape(one)
            for one in re.findall(r"<pre><code>(.*?)</code>", answer.text, re.DOTALL)
        ]
        prices = read_prices(code[0], town.hub.ctx.assets)
        assert [offer.path for offer in prices.offers] == ["/it's/{name}"]
        assert shlex.split(code[1])[3] == "http://api.test/$(reboot)"
        for wrong in ({"price": "x"}, {"price": "0"}, {"path": "no"}, {"per": "year"},
                      {"upstream": "javascript:alert(1)"}, {"path": "/" + 300 * "a"}):  # fmt: skip
            told = await ada.http.get("/shop/price", params=asked | wrong)
            assert told.status_code == 400, wrong


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
        assert found[1] not in (await ada.page("/shop/keys")).text
        assert "till" in (await ada.page("/shop/keys")).text
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
