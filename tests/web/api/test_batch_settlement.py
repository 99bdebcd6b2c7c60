"""x402 `batch-settlement` at the hub: a session, a voucher for each request, charged once."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from farthing.clock import NS
from farthing.codec import from_base64url, to_base64url
from farthing.core.orders import payment_id
from farthing.core.session_charges import ASIDE_MAX, unit_tariff
from farthing.core.sessions import Opening, alias_of
from farthing.core.vouchers import Agreed, Claims, sign_voucher
from farthing.ids import name
from farthing.testing.worlds import HandClock

from .test_facilitator import SELLER, post
from .town import FUNDS, LOCAL, Town, body_of, open_town

TARIFF = unit_tariff("USD")
DEPOSIT = 10_000


def required(town: Town, amount: int = 1500, **more: Any) -> dict[str, Any]:
    """Write what a stock seller asks."""
    return {
        "scheme": "batch-settlement",
        "network": f"farthing:{town.hub.ctx.identity.hub}",
        "asset": "USD",
        "amount": str(amount),
        "payTo": town.accounts["shop"],
        "maxTimeoutSeconds": 60,
        "extra": {"purpose": "tea shop", "lifetime": "3600", "grace": "600"},
    } | more


def body(asked: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
    """Write what a stock seller sends to its facilitator."""
    message = {"x402Version": 2, "accepted": asked, "payload": payload}
    return {"x402Version": 2, "paymentPayload": message, "paymentRequirements": asked}


class Channel:
    """A session as a payer keeps it: it is opened by its first payload."""

    def __init__(self, town: Town, deposit: int = DEPOSIT, machine: str = "meter") -> None:
        self.town, self.machine = town, machine
        resource = Opening(TARIFF.digest(), 3600, 600, "tea shop").resource()
        self.signed = town.order(deposit, resource=resource, machine=machine)
        self.id = name("ses", payment_id(self.signed.order))

    def voucher(self, units: int, sequence: int, expiry: int = 0) -> str:
        agreed = Agreed(self.id, self.town.accounts["shop"], "USD", TARIFF.digest())
        end = expiry or self.town.clock() // NS + 3600
        claims = Claims(alias_of(self.id), units, sequence, end)
        return to_base64url(sign_voucher(self.town.machines[self.machine].signer, agreed, claims))

    def opens(self, units: int = 1500, sequence: int = 1) -> dict[str, Any]:
        return {
            "type": "deposit",
            "order": self.signed.order.members(),
            "signature": to_base64url(self.signed.signature),
            "voucher": self.voucher(units, sequence),
        }

    def pays(self, units: int, sequence: int) -> dict[str, Any]:
        voucher = self.voucher(units, sequence)
        return {"type": "voucher", "session": self.id, "voucher": voucher}

    async def buy(
        self, payload: dict[str, Any], amount: int = 1500, used: int | None = None
    ) -> Any:
        asked = required(self.town, amount)
        verified = await post(self.town, "/verify", body(asked, payload))
        assert verified["isValid"], verified
        sent = body(asked, payload)
        sent["paymentRequirements"] = required(self.town, amount if used is None else used)
        return await post(self.town, "/settle", sent)

    async def stands(self) -> Any:
        return await self.town.made("GET", f"/v1/sessions/{self.id}", who=LOCAL)


@pytest.mark.rule("x402.batch-settlement", on="hub")
async def test_one_deposit_pays_for_many_requests_and_the_rest_comes_back(tmp_path: Path):
    async with open_town(tmp_path) as town:
        own = Channel(town)
        told = await own.buy(own.opens())
        assert told["success"] and told["transaction"] == f"{own.id}/1"
        assert (told["amount"], told["extra"]["chargedAmount"]) == ("1500", "1500")
        for n in range(2, 6):
            told = await own.buy(own.pays(1500 * n, n))
            assert told["transaction"] == f"{own.id}/{n}"
            state = told["extra"]["channelState"]
            assert state["chargedCumulativeAmount"] == str(1500 * n)
            assert (state["channelId"], state["balance"]) == (own.id, str(DEPOSIT))
        assert await town.available("purse") == FUNDS - DEPOSIT
        await town.made("POST", f"/v1/sessions/{own.id}/close", who=SELLER)
        assert await town.available("shop") == 7500
        assert await town.available("purse") == FUNDS - 7500


@pytest.mark.rule("x402.batch-persisted", on="hub")
async def test_a_voucher_is_kept_when_its_seller_hears_yes(tmp_path: Path):
    async with open_town(tmp_path) as town:
        own = Channel(town)
        asked = required(town)
        await post(town, "/verify", body(asked, own.opens()))
        shown = await own.stands()
        assert (shown["promised"], shown["sequence"]) == ("1500", "1")


@pytest.mark.rule("x402.batch-once", on="hub")
async def test_one_voucher_is_verified_once_and_charged_once_however_many_ask(tmp_path: Path):
    async with open_town(tmp_path) as town:
        own = Channel(town)
        await own.buy(own.opens())
        sent = body(required(town), own.pays(3000, 2))
        verified = await asyncio.gather(*(post(town, "/verify", sent) for _ in range(20)))
        assert sum(one["isValid"] for one in verified) == 1
        assert {one.get("invalidReason") for one in verified} == {None, "voucher_used"}
        settled = await asyncio.gather(*(post(town, "/settle", sent) for _ in range(20)))
        assert sum(one["success"] for one in settled) == 1
        assert {one.get("errorReason") for one in settled} == {None, "duplicate_settlement"}
        await town.made("POST", f"/v1/sessions/{own.id}/close", who=SELLER)
        assert await town.available("shop") == 3000


async def test_settle_without_verify_charges_at_once_and_once(tmp_path: Path):
    async with open_town(tmp_path) as town:
        own = Channel(town)
        sent = body(required(town), own.opens())
        told = await asyncio.gather(*(post(town, "/settle", sent) for _ in range(10)))
        assert sum(one["success"] for one in told) == 1
        assert not (await post(town, "/verify", sent))["isValid"]


async def test_a_lost_answer_is_given_again_under_the_sellers_key(tmp_path: Path):
    async with open_town(tmp_path) as town:
        own = Channel(town)
        sent, key = body(required(town), own.opens()), {"idempotency-key": "mine"}
        first = await town.ask("POST", "/settle", sent, who=SELLER, headers=key)
        again = await town.ask("POST", "/settle", sent, who=SELLER, headers=key)
        assert first.json()["success"] and again.json() == first.json()


@pytest.mark.rule("x402.batch-actual", on="hub")
async def test_what_was_used_is_charged_and_never_more_than_was_accepted(tmp_path: Path):
    async with open_town(tmp_path) as town:
        own = Channel(town)
        told = await own.buy(own.opens(), used=400)
        assert (told["success"], told["amount"]) == (True, "400")
        told = await own.buy(own.pays(1900, 2), used=0)
        assert (told["success"], told["amount"], told["transaction"]) == (True, "0", f"{own.id}/2")
        asked = required(town)
        sent = body(asked, own.pays(1900, 3))
        await post(town, "/verify", sent)
        more = sent | {"paymentRequirements": required(town, 1501)}
        answer = await town.ask("POST", "/settle", more, who=SELLER)
        assert (answer.status_code, answer.json()["code"]) == (400, "requirements-mismatch")
        assert (await post(town, "/settle", sent))["amount"] == "1500"
        closed = await town.made("POST", f"/v1/sessions/{own.id}/close", who=SELLER)
        assert (closed["promised"], closed["captured"]) == ("1900", "1900")


async def test_time_takes_what_was_charged_and_not_all_that_was_promised(tmp_path: Path):
    clock = HandClock()
    async with open_town(tmp_path, clock=clock) as town:
        own = Channel(town)
        await own.buy(own.opens(units=5000), used=700)
        clock.move(4300)
        await town.hub.worker.look()
        shown = await own.stands()
        assert (shown["state"], shown["captured"]) == ("closed", "700")
        assert await town.available("purse") == FUNDS - 700


async def test_a_payee_that_closes_with_units_takes_up_to_what_is_promised(tmp_path: Path):
    async with open_town(tmp_path) as town:
        own = Channel(town)
        await own.buy(own.opens(units=5000), used=700)
        path = f"/v1/sessions/{own.id}/close"
        more = await town.ask("POST", path, {"units": "5001"}, who=SELLER)
        assert (more.status_code, more.json()["code"]) == (400, "capture-too-large")
        closed = await town.made("POST", path, {"units": "5000"}, who=SELLER)
        assert (closed["state"], closed["captured"]) == ("closed", "5000")
        assert await town.available("shop") == 5000
        assert await town.available("purse") == FUNDS - 5000


@pytest.mark.rule("x402.batch-reserved", on="hub")
async def test_one_promise_never_serves_two_requests(tmp_path: Path):
    async with open_town(tmp_path) as town:
        own = Channel(town)
        await own.buy(own.opens())
        asked = required(town)
        vouchers = [own.pays(3000, sequence) for sequence in range(2, 8)]
        told = await asyncio.gather(*(post(town, "/verify", body(asked, v)) for v in vouchers))
        assert sum(one["isValid"] for one in told) == 1
        refused = [one for one in told if not one["isValid"]]
        assert {one["invalidReason"] for one in refused} <= {"voucher_needed", "voucher_used"}
        needed = await post(town, "/verify", body(asked, own.pays(3000, 8)))
        assert needed["extra"]["needed"] == "4500"
        assert (needed["extra"]["charged"], needed["extra"]["set_aside"]) == ("1500", "1500")


async def test_what_was_set_aside_and_not_charged_is_free_again_after_its_time(tmp_path: Path):
    clock = HandClock()
    async with open_town(tmp_path, clock=clock) as town:
        own = Channel(town)
        asked = required(town)
        first, second = body(asked, own.opens()), body(asked, own.pays(1500, 2))
        assert (await post(town, "/verify", first))["isValid"]
        assert not (await post(town, "/verify", second))["isValid"]
        clock.move(61)
        again = body(asked, own.pays(1500, 3))
        assert (await post(town, "/verify", again))["isValid"]
        late = await post(town, "/settle", first)
        assert (late["success"], late["errorReason"]) == (False, "charged_too_late")
        assert (await post(town, "/settle", again))["success"]


async def test_so_many_requests_are_under_way_and_no_more(tmp_path: Path):
    async with open_town(tmp_path) as town:
        own = Channel(town)
        asked = required(town, 1)
        assert (await post(town, "/verify", body(asked, own.opens(1, 1))))["isValid"]
        for n in range(2, ASIDE_MAX + 1):
            assert (await post(town, "/verify", body(asked, own.pays(n, n))))["isValid"]
        over = ASIDE_MAX + 1
        told = await post(town, "/verify", body(asked, own.pays(over, over)))
        assert told["invalidReason"] == "session_in_use"
        assert (await post(town, "/settle", body(asked, own.pays(5, 5))))["success"]
        assert (await post(town, "/verify", body(asked, own.pays(over, over))))["isValid"]


@pytest.mark.rule("x402.batch-bound", on="hub")
async def test_a_voucher_pays_nobody_else_and_for_nothing_else(tmp_path: Path):
    async with open_town(tmp_path) as town:
        own = Channel(town)
        await own.buy(own.opens())
        pays = own.pays(3000, 2)
        for extra in ({"purpose": "other"}, {"purpose": "tea shop", "lifetime": "99999999999"}):
            told = await post(town, "/verify", body(required(town, extra=extra), pays))
            assert told["invalidReason"] in ("wrong_session", "invalid_payload")
        other = body(required(town, payTo=town.accounts["purse"]), pays)
        assert (await town.ask("POST", "/verify", other, who=SELLER)).status_code == 403
        raw = bytearray(from_base64url(pays["voucher"]))
        raw[-1] ^= 1
        forged = pays | {"voucher": to_base64url(bytes(raw))}
        told = await post(town, "/verify", body(required(town), forged))
        assert told["invalidReason"] == "bad_voucher"
        assert (await own.stands())["promised"] == "1500"


@pytest.mark.rule("x402.batch-expiry", on="hub")
async def test_a_voucher_ends_with_its_expiry_its_session_and_its_device(tmp_path: Path):
    async with open_town(tmp_path) as town:
        own = Channel(town)
        await own.buy(own.opens(9000))
        old = own.pays(9500, 2) | {"voucher": own.voucher(9500, 2, town.clock() // NS)}
        assert (await post(town, "/verify", body(required(town), old)))[
            "invalidReason"
        ] == "voucher_expired"
        equal = own.pays(9000, 3) | {"voucher": own.voucher(9000, 3, town.clock() // NS)}
        assert (await post(town, "/verify", body(required(town), equal)))[
            "invalidReason"
        ] == "voucher_expired"
        device = town.machines["meter"].id
        await town.made("POST", f"/v1/devices/{device}/revoke", who=LOCAL)
        told = await post(town, "/verify", body(required(town), own.pays(9000, 4)))
        assert told["invalidReason"] == "session_revoked"


async def test_a_deposit_that_the_mandate_forbids_is_refused_and_nothing_is_held(tmp_path: Path):
    async with open_town(tmp_path) as town:
        own = Channel(town, deposit=100_001)
        told = await post(town, "/verify", body(required(town), own.opens()))
        assert told["invalidReason"] == "mandate_largest"
        assert await town.available("purse") == FUNDS


async def test_beyond_the_deposit_it_is_topped_up_by_a_payload(tmp_path: Path):
    async with open_town(tmp_path) as town:
        own = Channel(town, deposit=2000)
        await own.buy(own.opens())
        told = await post(town, "/verify", body(required(town), own.pays(3000, 2)))
        assert told["invalidReason"] == "voucher_beyond_deposit"
        more = town.order(2000, resource=f"TOPUP {own.id}")
        payload = own.opens(3000, 3) | {
            "order": more.order.members(),
            "signature": to_base64url(more.signature),
        }
        told = await own.buy(payload)
        assert told["extra"]["channelState"]["balance"] == "4000"


async def test_without_a_key_form_and_signature_are_checked_and_nothing_changes(tmp_path: Path):
    async with open_town(tmp_path) as town:
        own = Channel(town)
        sent = body(required(town), own.opens())
        told = await post(town, "/verify", sent, who="nobody")
        assert told["isValid"] and "checked" in told["extra"]
        assert await town.available("purse") == FUNDS
        await own.buy(own.opens())
        told = await post(town, "/verify", body(required(town), own.pays(3000, 2)), who="nobody")
        assert told["isValid"]
        assert (await own.stands())["promised"] == "1500"
        lost = Channel(town)
        told = await post(town, "/verify", body(required(town), lost.pays(3000, 2)), who="nobody")
        assert told["invalidReason"] == "bad_voucher"


@pytest.mark.parametrize(
    "change",
    [
        {"type": "claim"},
        {"type": ["voucher"]},
        {"voucher": 7},
        {"voucher": "AAAA"},
        {"session": "ses_1"},
        {"more": "x"},
    ],
)
async def test_a_payload_that_is_none_is_refused(tmp_path: Path, change: dict[str, Any]):
    async with open_town(tmp_path) as town:
        own = Channel(town)
        await own.buy(own.opens())
        told = await post(town, "/verify", body(required(town), own.pays(3000, 2) | change))
        assert told["invalidReason"] in ("invalid_payload", "malformed_voucher")


async def test_a_tariff_of_its_own_is_the_paywalls_and_not_a_facilitators(tmp_path: Path):
    async with open_town(tmp_path) as town:
        own = Channel(town)
        extra = required(town)["extra"]
        told = await post(
            town,
            "/verify",
            body(required(town, extra=extra | {"tariff": TARIFF.members()}), own.opens()),
        )
        assert told["isValid"]
        other = TARIFF.members() | {"counts": "request"}
        told = await post(
            town, "/verify", body(required(town, extra=extra | {"tariff": other}), own.opens())
        )
        assert told["invalidReason"] == "invalid_payload"


@pytest.mark.parametrize("voucher", ["", "aaaa", "hEOh"])
async def test_a_deposit_beside_what_is_no_voucher_holds_nothing(tmp_path: Path, voucher: str):
    async with open_town(tmp_path) as town:
        own = Channel(town)
        sent = body(required(town), own.opens() | {"voucher": voucher})
        for path, why in (("/verify", "invalidMessage"), ("/settle", "errorMessage")):
            told = await post(town, path, sent)
            assert "voucher" in told[why], told
        anonymous = await town.made("POST", "/verify", sent)
        assert not anonymous["isValid"], anonymous
        assert await town.available("purse") == FUNDS


async def test_a_deposit_beside_a_voucher_that_somebody_else_signed_holds_nothing(tmp_path: Path):
    async with open_town(tmp_path) as town:
        own = Channel(town)
        raw = bytearray(from_base64url(own.voucher(1500, 1)))
        raw[-1] ^= 1
        forged = to_base64url(bytes(raw))
        sent = body(required(town), own.opens() | {"voucher": forged})
        for path, why in (("/verify", "invalidReason"), ("/settle", "errorReason")):
            assert (await post(town, path, sent))[why] == "bad_voucher"
        assert (await town.made("POST", "/verify", sent))["invalidReason"] == "bad_voucher"
        assert await town.available("purse") == FUNDS
        await own.buy(own.opens())
        order = town.order(2000, resource=f"TOPUP {own.id}")
        signature = to_base64url(order.signature)
        more = own.opens() | {"order": order.order.members(), "signature": signature}
        sent = body(required(town), more | {"voucher": forged})
        assert (await post(town, "/verify", sent))["invalidReason"] == "bad_voucher"
        assert await town.available("purse") == FUNDS - DEPOSIT


async def test_without_a_key_an_order_whose_time_is_over_does_not_pass(tmp_path: Path):
    clock = HandClock()
    async with open_town(tmp_path, clock=clock) as town:
        sent = body(required(town), Channel(town).opens())
        assert (await town.made("POST", "/verify", sent))["isValid"]
        clock.move(301)
        told = await town.made("POST", "/verify", sent)
        assert (told["isValid"], told["invalidReason"]) == (False, "order_expired")


def topping_up(own: Channel, deposit: int, units: int, sequence: int) -> dict[str, Any]:
    """Write a payload that adds to a deposit, beside a voucher."""
    more = own.town.order(deposit, resource=f"TOPUP {own.id}")
    signature = to_base64url(more.signature)
    return own.opens(units, sequence) | {"order": more.order.members(), "signature": signature}


async def test_a_deposit_beside_a_voucher_beyond_it_holds_nothing(tmp_path: Path):
    async with open_town(tmp_path) as town:
        own, asked = Channel(town), required(town)
        sent = body(asked, own.opens(DEPOSIT + 1))
        for path, why in (("/verify", "invalidReason"), ("/settle", "errorReason")):
            assert (await post(town, path, sent))[why] == "voucher_beyond_deposit"
        assert await town.available("purse") == FUNDS
        assert (await town.ask("GET", f"/v1/sessions/{own.id}", who=LOCAL)).status_code == 404
        await own.buy(own.opens(1500, 2))
        short = topping_up(own, 100, DEPOSIT + 101, 3)
        told = await post(town, "/verify", body(asked, short))
        assert told["invalidReason"] == "voucher_beyond_deposit"
        assert await town.available("purse") == FUNDS - DEPOSIT
        await own.buy(topping_up(own, 100, DEPOSIT + 100, 3))
        assert await town.available("purse") == FUNDS - DEPOSIT - 100
        # Who repeats the first deposit adds nothing, and is judged by all that is held.
        await own.buy(own.opens(DEPOSIT + 100, 4))


async def test_a_voucher_beyond_the_deposit_is_told_the_state_and_taken_after_a_top_up(
    tmp_path: Path,
):
    async with open_town(tmp_path) as town:
        own, asked = Channel(town), required(town)
        await own.buy(own.opens())
        told = await post(town, "/verify", body(asked, own.pays(DEPOSIT + 1500, 2)))
        assert told["invalidReason"] == "voucher_beyond_deposit"
        state = {name: told["extra"][name] for name in ("session", "state", "deposit", "promised")}
        assert state == {
            "session": own.id,
            "state": "open",
            "deposit": str(DEPOSIT),
            "promised": "1500",
        }
        told = await own.buy(topping_up(own, 1500, DEPOSIT + 1500, 2))
        assert told["extra"]["channelState"]["balance"] == str(DEPOSIT + 1500)


@pytest.mark.parametrize("way", ["payee", "payer", "time"])
async def test_a_session_whose_voucher_was_beyond_its_deposit_has_every_way_out(
    tmp_path: Path, way: str
):
    clock = HandClock()
    async with open_town(tmp_path, clock=clock) as town:
        own, asked = Channel(town), required(town)
        await own.buy(own.opens(), used=700)
        told = await post(town, "/verify", body(asked, own.pays(DEPOSIT + 1500, 2)))
        assert not told["isValid"]
        if way == "payee":
            await town.made("POST", f"/v1/sessions/{own.id}/close", who=SELLER)
        elif way == "payer":
            await town.made("POST", f"/v1/sessions/{own.id}/end", who=LOCAL)
            clock.move(601)
        else:
            clock.move(4201)
        await town.hub.worker.look()
        shown = await own.stands()
        assert (shown["state"], shown["captured"]) == ("closed", "700")
        assert await town.available("purse") == FUNDS - 700


async def test_a_voucher_whose_deposit_was_refused_is_worth_no_more_than_is_held(tmp_path: Path):
    """Its payer signs the next voucher for less; its payee may still have the higher one."""
    async with open_town(tmp_path) as town:
        own, asked = Channel(town), required(town)
        await own.buy(own.opens())
        refused = topping_up(own, FUNDS, DEPOSIT + 1500, 2)
        told = await post(town, "/verify", body(asked, refused))
        assert told["invalidReason"] == "mandate_largest"
        kept = own.pays(DEPOSIT + 1500, 2)
        told = await post(town, "/verify", body(asked, kept))
        assert told["invalidReason"] == "voucher_beyond_deposit"
        assert (told["extra"]["deposit"], told["extra"]["promised"]) == (str(DEPOSIT), "1500")
        path = f"/v1/sessions/{own.id}/vouchers"
        plain = await town.ask("POST", path, {"voucher": kept["voucher"]})
        assert (plain.status_code, plain.json()["deposit"]) == (422, str(DEPOSIT))
        await own.buy(own.pays(3000, 3))  # The payer goes on within what is held.
        more = town.order(1500, resource=f"TOPUP {own.id}")
        await town.made("POST", f"/v1/sessions/{own.id}/deposits", body_of(more))
        # Now it is covered: as a promise it counts, and for a request its number is passed.
        told = await post(town, "/verify", body(asked, kept))
        assert told["invalidReason"] == "voucher_used"
        drawn = await town.made("POST", path, {"voucher": kept["voucher"]})
        assert drawn["promised"] == str(DEPOSIT + 1500)
        closed = await town.made("POST", f"/v1/sessions/{own.id}/close", who=SELLER)
        assert closed["captured"] == "3000"
