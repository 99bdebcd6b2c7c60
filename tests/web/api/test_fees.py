"""A hub with `[fees.USD]`, asked over its API: every way of paying gives the fee, and shows it."""

import contextlib
import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from farthing.core.receipts import receipt_fault
from farthing.settings import Config, FeeSettings

from .test_bad_payments import problem
from .town import LOCAL, Town, changed, config_in, open_town


@contextlib.asynccontextmanager
async def taking(folder: Path, **terms: Any) -> AsyncIterator[Town]:
    """Open an account for fees, and then the hub anew, which takes them."""
    config = config_in(folder)
    async with open_town(folder, config=config) as town:
        body = {"asset": "USD", "owner": town.owners["buyer"], "name": "fees"}
        till = (await town.made("POST", "/v1/accounts", body, who=LOCAL))["id"]
    async with open_town(folder, config=configured(config, till, **terms)) as town:
        town.accounts["till"] = till
        yield town


def configured(config: Config, till: str, **terms: Any) -> Config:
    """Configure the fees as a file does."""
    settings = {"ppm": 20_000, "flat": "0.000005 USD"} | terms
    return changed(config, fees={"USD": FeeSettings(account=till, **settings)})


async def balances(town: Town) -> list[int]:
    """Tell what the shop and the till have."""
    return [await town.available(name) for name in ("shop", "till")]


def of(payment: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Tell what each fee of a payment took, and what went back."""
    return [(f["of"], f["units"], f["returned"], f["waived"]) for f in payment["fees"]]


async def shown_fees(town: Town, ident: str) -> list[tuple[str, str, str, bool]]:
    """Tell what the fees of a payment took, as its payee is shown it."""
    return of(await town.made("GET", f"/v1/payments/{ident}", who="seller.read"))


async def test_a_charge_gives_the_fee_and_its_answer_and_receipt_say_so(tmp_path: Path):
    async with taking(tmp_path) as town:
        paid = await town.pay(1500)
        assert paid["fees"] == [
            {
                "account": town.accounts["till"], "ppm": 20_000, "flat": "5", "minimum": "0",
                "rounding": "down", "on_refund": "return", "of": "hub", "units": "35",
                "returned": "0", "waived": False,
            }
        ]  # fmt: skip
        assert await balances(town) == [1465, 35]
        assert receipt_fault(paid["receipt"], town.hub.ctx.identity.root_public) is None
        stated = paid["receipt"]["statement"]
        assert stated["fees"] == [
            {"account": town.accounts["till"], "of": "hub", "units": "35", "returned": "0"}
        ]
        for who in ("buyer.read", "seller.read"):
            shown = await town.made("GET", f"/v1/payments/{paid['id']}", who=who)
            assert shown["fees"] == paid["fees"]


async def test_a_hold_gives_the_fee_of_what_is_captured(tmp_path: Path):
    async with taking(tmp_path) as town:
        ident = (await town.hold(1500))["payment"]
        assert await shown_fees(town, ident) == [("hub", "0", "0", False)]
        path = f"/v1/payments/{ident}/capture"
        captured = await town.made("POST", path, {"units": "500"}, who="seller.seller")
        [stated] = captured["receipt"]["statement"]["fees"]
        assert stated["units"] == "15"
        assert await shown_fees(town, ident) == [("hub", "15", "0", False)]
        assert await balances(town) == [485, 15]


async def test_each_payment_of_a_batch_gives_its_own(tmp_path: Path):
    async with taking(tmp_path) as town:
        many = {"payments": [town.payment(units) for units in (100, 200, 300)]}
        told = await town.made("POST", "/v1/payments/batch", many)
        gave = [await shown_fees(town, item["id"]) for item in told["payments"]]
        assert gave == [[("hub", units, "0", False)] for units in ("7", "9", "11")]
        assert await balances(town) == [573, 27]


async def test_a_session_gives_the_fee_of_all_that_it_took(tmp_path: Path):
    async with taking(tmp_path) as town:
        session = await town.session(1000)
        assert (await town.draw(session, 750)).is_success
        path = f"/v1/sessions/{session['id']}/close"
        await town.made("POST", path, {}, who="seller.seller")
        [deposit] = (await town.made("GET", "/v1/payments", who="seller.read"))["items"]
        assert (deposit["captured"], of(deposit)) == ("750", [("hub", "20", "0", False)])
        assert await balances(town) == [730, 20]


async def test_a_refund_returns_it_and_the_payment_says_so(tmp_path: Path):
    async with taking(tmp_path) as town:
        paid = await town.pay(1500)
        path = f"/v1/payments/{paid['id']}/refunds"
        await town.made("POST", path, {"units": "750"}, who="seller.seller")
        assert await shown_fees(town, paid["id"]) == [("hub", "35", "17", False)]
        await town.made("POST", path, {}, who="seller.seller")
        assert await balances(town) == [0, 0]


async def test_events_tell_both_sides_and_the_owner_of_the_fees_account(tmp_path: Path):
    async with taking(tmp_path) as town:
        paid = await town.pay(1500)
        path = f"/v1/payments/{paid['id']}/refunds"
        await town.made("POST", path, {}, who="seller.seller")
        told = (await town.made("GET", "/v1/events?limit=500", who=LOCAL))["items"]
        bodies = {event["kind"]: event["body"] for event in told}
        fee = {
            "account": town.accounts["till"], "asset": "USD", "of": "hub",
            "payee": town.accounts["shop"], "units": "35",
        }  # fmt: skip
        assert bodies["fee.taken"] == bodies["fee.returned"] == fee
        assert bodies["payment.captured"]["fee"] == "35"
        assert "fee_returned" not in bodies["payment.captured"]
        assert bodies["payment.refunded"]["fee_returned"] == "35"


async def test_only_whose_account_it_is_hears_that_a_fee_was_taken(tmp_path: Path):
    async with taking(tmp_path) as town:
        await town.pay(1500)
        kinds = {}
        for who in ("buyer.read", "seller.read"):
            told = await town.made("GET", "/v1/events?limit=500", who=who)
            kinds[who] = {event["kind"] for event in told["items"]}
        assert "payment.captured" in kinds["buyer.read"] & kinds["seller.read"]
        assert "fee.taken" not in kinds["seller.read"]


async def test_the_export_has_what_was_taken_and_what_went_back(tmp_path: Path):
    async with taking(tmp_path) as town:
        paid = await town.pay(1500)
        body = {"units": "750"}
        await town.made("POST", f"/v1/payments/{paid['id']}/refunds", body, who="seller.seller")
        await town.made("POST", "/v1/payments", town.payment(1, payee="till"), who="buyer.owner")
        table = await town.ask("GET", "/v1/payments/export", who="seller.read")
        [row] = csv.DictReader(io.StringIO(table.text))
        assert (row["captured"], row["fee"], row["fee_returned"]) == ("1500", "35", "17")


async def test_without_fees_a_payment_has_no_such_member(tmp_path: Path):
    async with open_town(tmp_path) as town:
        paid = await town.pay(1500)
        assert "fees" not in paid
        assert "fee" not in str(paid["receipt"]["statement"])


async def test_an_offer_gives_its_own_share_besides(tmp_path: Path):
    async with taking(tmp_path) as town:
        body = {"asset": "USD", "owner": town.owners["seller"], "name": "platform"}
        platform = (await town.made("POST", "/v1/accounts", body, who=LOCAL))["id"]
        fee = {"account": platform, "ppm": 100_000, "flat": "1"}
        wanted = {
            "payee": town.accounts["shop"], "path": "/a", "asset": "USD", "amount": "1500",
            "fee": fee,
        }  # fmt: skip
        offer = await town.made("POST", "/v1/offers", wanted, who="seller.owner")
        body = town.payment(1500) | {"offer": offer["id"], "capture": True}
        paid = await town.made("POST", "/v1/payments/authorise", body, who="seller.seller")
        gave = await shown_fees(town, paid["payment"])
        assert gave == [("hub", "35", "0", False), (offer["id"], "151", "0", False)]
        refused = await town.ask(
            "POST", "/v1/payments/authorise", body | town.payment(5), who="buyer.seller"
        )
        assert problem(refused)[0] in (403, 404)
