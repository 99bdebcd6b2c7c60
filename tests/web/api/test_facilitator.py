"""The hub as an x402 facilitator: one nonce is held once, captured once, and never raced."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from farthing.clock import NS, write_time
from farthing.codec import to_base64url
from farthing.core.orders import SignedOrder
from farthing.testing.worlds import HandClock

from .test_bad_payments import furnish, problem
from .town import FUNDS, Town, open_town

SELLER = "seller.seller"


def x402_body(town: Town, signed: SignedOrder, **changes: Any) -> dict[str, Any]:
    """Write what a stock seller sends: the payment payload and its requirements."""
    order = signed.order
    required = {
        "scheme": "exact",
        "network": f"farthing:{order.hub}",
        "asset": order.asset,
        "amount": str(order.amount),
        "payTo": order.payee,
        "maxTimeoutSeconds": 60,
        "extra": {"resource": order.resource},
    }
    proof = {
        "device": order.device,
        "expires": write_time(order.expires),
        "nonce": order.nonce,
        "signature": to_base64url(signed.signature),
    }
    payload = {"x402Version": 2, "accepted": required, "payload": proof}
    body = {"x402Version": 2, "paymentPayload": payload, "paymentRequirements": dict(required)}
    return body | changes


async def post(town: Town, path: str, body: Any, who: str = SELLER) -> Any:
    """Ask, and give the JSON of a 200."""
    answer = await town.ask("POST", path, body, who=who)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_verify_holds_and_settle_captures(tmp_path: Path):
    async with open_town(tmp_path) as town:
        body = x402_body(town, town.order())
        verified = await post(town, "/verify", body)
        assert verified["isValid"]
        assert (await town.balance("purse"))["held"] == "1500"
        settled = await post(town, "/settle", body)
        assert (settled["success"], settled["amount"]) == (True, "1500")
        assert settled["transaction"] == verified["extra"]["payment"]
        assert settled["extra"]["receipt"]["statement"]["captured"] == "1500"
        assert await town.available("shop") == 1500


@pytest.mark.rule("farthing.verify-holds", on="hub")
async def test_verify_twice_holds_once_and_says_yes_once(tmp_path: Path):
    async with open_town(tmp_path) as town:
        body = x402_body(town, town.order())
        told = await asyncio.gather(*(post(town, "/verify", body) for _ in range(20)))
        assert sum(one["isValid"] for one in told) == 1
        assert {one.get("invalidReason") for one in told} == {None, "nonce_used"}
        assert (await town.balance("purse"))["held"] == "1500"


async def test_settle_without_verify_charges_at_once(tmp_path: Path):
    async with open_town(tmp_path) as town:
        settled = await post(town, "/settle", x402_body(town, town.order()))
        assert settled["success"]
        assert await town.available("shop") == 1500


async def test_settling_one_nonce_two_hundred_times_captures_once(tmp_path: Path):
    async with open_town(tmp_path) as town:
        body = x402_body(town, town.order())
        verify = [post(town, "/verify", body) for _ in range(20)]
        settle = [post(town, "/settle", body) for _ in range(200)]
        told = await asyncio.gather(*verify, *settle)
        settled = told[20:]
        [done] = [one for one in settled if one["success"]]
        others = [one for one in settled if not one["success"]]
        assert {one["errorReason"] for one in others} == {"duplicate_settlement"}
        assert {one["extra"]["payment"] for one in others} == {done["transaction"]}
        assert await town.available("shop") == 1500
        assert await town.available("purse") == FUNDS - 1500
        later = await post(town, "/settle", body)
        assert (later["success"], later["errorReason"]) == (False, "duplicate_settlement")


@pytest.mark.parametrize("verified", [True, False])
async def test_a_seller_who_lost_the_answer_gets_it_again_under_its_own_key(
    tmp_path: Path, verified: bool
):
    async with open_town(tmp_path) as town:
        body = x402_body(town, town.order())
        if verified:
            await post(town, "/verify", body)

        async def settle(key: str) -> Any:
            fields = {"idempotency-key": key}
            answer = await town.ask("POST", "/settle", body, who=SELLER, headers=fields)
            return answer.json()

        first = await settle("mine")
        assert (first["success"], first["amount"]) == (True, "1500")
        assert await settle("mine") == first
        for key in ("another", ""):
            told = await settle(key)
            assert (told["success"], told["errorReason"]) == (False, "duplicate_settlement")
            assert told["extra"]["payment"] == first["transaction"]
        assert await settle("mine") == first
        assert await town.available("shop") == 1500


@pytest.mark.rule("farthing.revocation", on="hub")
async def test_a_hold_made_before_a_revocation_may_be_settled_and_nothing_later(tmp_path: Path):
    async with open_town(tmp_path) as town:
        held, late = x402_body(town, town.order()), x402_body(town, town.order())
        await post(town, "/verify", held)
        meter = town.machines["meter"].id
        await town.made("POST", f"/v1/devices/{meter}/revoke", who="buyer.owner")
        assert (await post(town, "/settle", held))["success"]
        refused = await post(town, "/settle", late)
        assert (refused["success"], refused["errorReason"]) == (False, "device_revoked")
        told = await post(town, "/verify", late)
        assert (told["isValid"], told["invalidReason"]) == (False, "device_revoked")
        assert await town.available("shop") == 1500


async def test_an_expired_hold_is_not_settled(tmp_path: Path):
    clock = HandClock()
    async with open_town(tmp_path, clock=clock) as town:
        body = x402_body(town, town.order())
        await post(town, "/verify", body)
        clock.move(61)
        refused = await post(town, "/settle", body)
        assert (refused["success"], refused["errorReason"]) == (False, "payment_expired")
        await town.hub.worker.look()
        assert await post(town, "/settle", body) == refused
        assert await town.available("purse") == FUNDS


async def test_an_order_that_expired_is_neither_verified_nor_settled(tmp_path: Path):
    clock = HandClock()
    async with open_town(tmp_path, clock=clock) as town:
        body = x402_body(town, town.order(expires=clock() // NS + 10))
        clock.move(11)
        before = await town.dump()
        for who in (SELLER, "nobody"):
            told = await post(town, "/verify", body, who)
            assert (told["isValid"], told["invalidReason"]) == (False, "order_expired")
        told = await post(town, "/settle", body)
        assert (told["success"], told["errorReason"]) == (False, "order_expired")
        assert await town.dump() == before


async def test_an_anonymous_verify_is_no_oracle_and_holds_nothing(tmp_path: Path):
    async with open_town(tmp_path) as town:
        before = await town.dump()
        rich, poor = town.order(10), town.order(10**12)
        told = [await post(town, "/verify", x402_body(town, o), "nobody") for o in (rich, poor)]
        assert told[0] == told[1]
        assert told[0]["isValid"]
        assert "form, signature and time only" in told[0]["extra"]["checked"]
        answer = await town.ask("POST", "/settle", x402_body(town, rich))
        assert problem(answer) == (401, "key-missing")
        assert await town.dump() == before


@pytest.mark.rule("farthing.own-sales", on="hub")
async def test_a_seller_verifies_and_settles_for_itself_only(tmp_path: Path):
    async with open_town(tmp_path) as town:
        before = await town.dump()
        body = x402_body(town, town.order())
        for path in ("/verify", "/settle"):
            for who, code in (
                ("buyer.seller", "not-your-account"),
                ("seller.read", "scope-missing"),
                ("seller.owner", "scope-missing"),
            ):
                answer = await town.ask("POST", path, body, who=who)
                assert problem(answer) == (403, code)
        assert await town.dump() == before


async def test_requirements_that_were_changed_settle_nothing(tmp_path: Path):
    async with open_town(tmp_path) as town:
        await furnish(town)
        before, signed = await town.dump(), town.order(resource="GET /a")
        for member, value in [
            ("amount", "1"),
            ("amount", "1501"),
            ("payTo", town.accounts["other"]),
            ("asset", "EUR"),
            ("network", "farthing:" + "b" * 32),
            ("extra", {"resource": "GET /b"}),
        ]:
            body = x402_body(town, signed)
            changed = body["paymentRequirements"] | {member: value}
            answer = await town.ask(
                "POST", "/settle", body | {"paymentRequirements": changed}, who=SELLER
            )
            assert problem(answer) == (400, "requirements-mismatch"), member
            # A thief who changes both is betrayed by the signature.
            body = x402_body(town, signed, paymentRequirements=changed)
            body["paymentPayload"] = body["paymentPayload"] | {"accepted": changed}
            for path, yes in (("/verify", "isValid"), ("/settle", "success")):
                told = await post(town, path, body)
                assert told[yes] is False, (member, told)
        assert await town.dump() == before


async def test_bad_facilitator_bodies(tmp_path: Path):
    async with open_town(tmp_path) as town:
        before, good = await town.dump(), x402_body(town, town.order())
        payload, required = good["paymentPayload"], good["paymentRequirements"]
        proof = payload["payload"]
        requests: list[Any] = [
            [], {}, {"paymentPayload": payload}, {"paymentRequirements": required},
            good | {"x402Version": 1}, good | {"x402Version": "2"}, good | {"paymentPayload": []},
            good | {"paymentRequirements": required | {"amount": "2"}},
        ]  # fmt: skip
        for seconds in (0, -1, 3601, "60", True, None, 1.5):
            asked = required | {"maxTimeoutSeconds": seconds}
            requests.append(
                good | {"paymentRequirements": asked}
                | {"paymentPayload": payload | {"accepted": asked}}
            )  # fmt: skip
        for body in requests:
            for path in ("/verify", "/settle"):
                answer = await town.ask("POST", path, body, who=SELLER)
                assert problem(answer)[0] == 400, (path, body)
        payloads: list[Any] = [
            {}, payload | {"x402Version": 1}, payload | {"accepted": None},
            payload | {"payload": None}, payload | {"payload": proof | {"more": "x"}},
            payload | {"payload": proof | {"signature": "A"}},
            payload | {"payload": proof | {"signature": "AA"}},
            payload | {"payload": proof | {"nonce": "x"}},
            payload | {"payload": proof | {"expires": 5}},
            payload | {"payload": proof | {"device": "acc_x"}},
            payload | {"extensions": []},
        ]  # fmt: skip
        for wrong in payloads:
            body = good | {"paymentPayload": wrong}
            told = await post(town, "/verify", body)
            assert (told["isValid"], told["invalidReason"]) == (False, "invalid_payload"), wrong
            told = await post(town, "/settle", body)
            assert (told["success"], told["errorReason"]) == (False, "invalid_payload"), wrong
        assert await town.dump() == before


async def test_a_refusal_by_the_mandate_is_told_in_x402s_words(tmp_path: Path):
    async with open_town(tmp_path) as town:
        body = x402_body(town, town.order(100_001))
        told = await post(town, "/verify", body)
        assert (told["isValid"], told["invalidReason"]) == (False, "mandate_largest")
        told = await post(town, "/settle", body)
        assert (told["success"], told["errorReason"]) == (False, "mandate_largest")


async def test_a_payment_that_awaits_its_owner_is_verified_once_approved(tmp_path: Path):
    async with open_town(tmp_path) as town:
        await town.enrol("shy", "purse", await town.mandate(ask_above="10"))
        body = x402_body(town, town.order(machine="shy"))
        told = await post(town, "/verify", body)
        assert (told["isValid"], told["invalidReason"]) == (False, "awaiting_owner")
        listed = await town.made("GET", "/v1/payments?state=awaiting", who="buyer.owner")
        [asked] = listed["items"]
        await town.made("POST", f"/v1/payments/{asked['id']}/approve", who="buyer.owner")
        assert (await post(town, "/verify", body))["isValid"]
        assert not (await post(town, "/verify", body))["isValid"]
        assert (await post(town, "/settle", body))["success"]


def identified(town: Town, identifier: str, amount: int = 1500) -> dict[str, Any]:
    """Write a body whose payer named its payment."""
    body = x402_body(town, town.order(amount))
    extension = {"payment-identifier": {"info": {"required": False, "id": identifier}}}
    return body | {"paymentPayload": body["paymentPayload"] | {"extensions": extension}}


async def test_a_payment_identifier_is_paid_once_however_often_it_is_signed(tmp_path: Path):
    async with open_town(tmp_path) as town:
        name = "order-0123456789abcdef"
        first = await post(town, "/settle", identified(town, name))
        again = await post(town, "/settle", identified(town, name))
        assert (first["success"], again["errorReason"]) == (True, "duplicate_settlement")
        assert again["extra"]["payment"] == first["transaction"]
        told = await post(town, "/settle", identified(town, name, 7))
        assert (told["success"], told["errorReason"]) == (False, "idempotency_key_reused")
        assert await town.available("shop") == 1500
        told = await post(town, "/verify", identified(town, "short"))
        assert (told["isValid"], told["invalidReason"]) == (False, "invalid_payload")
