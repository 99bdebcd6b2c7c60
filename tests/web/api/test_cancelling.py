"""Cancelling over the API: the device's own word, whoever carries it, and no other."""

from pathlib import Path
from typing import Any

from farthing.clock import system_clock
from farthing.core.orders import SignedOrder, order_from_members
from farthing.testing.worlds import HandClock

from .test_bad_payments import problem
from .test_facilitator import x402_body
from .test_rates import client_of
from .town import Town, body_of, cancel_of, open_town

CANCEL = "/v1/payments/cancel"


async def cancel(town: Town, signed: SignedOrder, machine: str = "meter") -> Any:
    """Cancel an order, signed by a device."""
    return await town.ask("POST", CANCEL, cancel_of(signed, town.machines[machine].signer))


async def test_an_order_that_was_cancelled_is_refused_on_every_way(tmp_path: Path):
    async with open_town(tmp_path) as town:
        signed = town.order()
        for _ in range(2):
            told = await cancel(town, signed)
            assert told.status_code == 200
            shown = told.json()
            assert (shown["state"], shown["reason"]) == ("refused", "cancelled")
            assert shown["receipt"]["statement"]["reason"] == "cancelled"
        paid = await town.ask("POST", "/v1/payments", body_of(signed))
        assert problem(paid) == (422, "cancelled")
        for capture in (True, False):
            body = body_of(signed) | {"capture": capture}
            held = await town.made("POST", "/v1/payments/authorise", body, who="seller.seller")
            assert (held["state"], held["reason"], held["fresh"]) == ("refused", "cancelled", False)
        body = x402_body(town, signed)
        checked = await town.made("POST", "/verify", body, who="seller.seller")
        assert not checked["isValid"]
        settled = await town.made("POST", "/settle", body, who="seller.seller")
        assert not settled["success"]
        assert await town.available("shop") == 0
        looked = await town.made("GET", f"/v1/payments/{shown['id']}", who="meter")
        assert looked == shown


async def test_both_owners_hear_of_a_cancelled_order(tmp_path: Path):
    async with open_town(tmp_path) as town:
        payment = (await cancel(town, town.order())).json()["id"]
        for who in ("buyer.read", "seller.read"):
            events = await town.made("GET", "/v1/events?limit=500", who=who)
            [event] = [e for e in events["items"] if e["subject"] == payment]
            assert (event["kind"], event["body"]["reason"]) == ("payment.refused", "cancelled")


async def test_what_came_first_is_told_as_it_stands(tmp_path: Path):
    async with open_town(tmp_path) as town:
        signed = town.order()
        paid = await town.made("POST", "/v1/payments", body_of(signed))
        assert (await cancel(town, signed)).json() == paid
        signed = town.order()
        body = body_of(signed) | {"hold_seconds": 60}
        held = await town.made("POST", "/v1/payments/authorise", body, who="seller.seller")
        assert (await cancel(town, signed)).json()["state"] == "held"
        path = f"/v1/payments/{held['payment']}"
        await town.made("POST", f"{path}/capture", who="seller.seller")
        await town.made("POST", f"{path}/refunds", who="seller.seller")
        shown = (await cancel(town, signed)).json()
        assert (shown["state"], shown["refunded"]) == ("captured", "1500")


async def test_only_the_device_cancels_and_an_order_is_no_cancel(tmp_path: Path):
    async with open_town(tmp_path) as town:
        await town.enrol("second", "purse", town.machines["meter"].mandate)
        signed = town.order()
        before = await town.dump()
        for body in (
            body_of(signed),
            cancel_of(signed, town.machines["second"].signer),
            cancel_of(town.order(), town.machines["meter"].signer)
            | {"order": signed.order.members()},
        ):
            assert problem(await town.ask("POST", CANCEL, body)) == (401, "bad-signature")
        # And the other way round: who carries a cancel cannot pay with it.
        as_order = cancel_of(signed, town.machines["meter"].signer)
        assert problem(await town.ask("POST", "/v1/payments", as_order)) == (401, "bad-signature")
        assert await town.dump() == before


async def test_an_order_whose_time_is_over_needs_no_cancel(tmp_path: Path):
    clock = HandClock(system_clock())
    async with open_town(tmp_path, clock=clock) as town:
        signed = town.order()
        clock.move(301)
        before = await town.dump()
        assert problem(await cancel(town, signed)) == (422, "order-expired")
        assert await town.dump() == before
        assert problem(await town.ask("POST", "/v1/payments", body_of(signed))) == (
            (422, "order-expired")
        )


async def test_cancels_that_do_not_hold_are_counted_like_other_proofs(tmp_path: Path):
    async with open_town(tmp_path) as town:
        http = client_of(town, failures_per_minute=3)
        bodies = [body_of(town.order()) for _ in range(5)]
        told = [(await http.post(CANCEL, json=body)).status_code for body in bodies]
        assert told == [401, 401, 401, 429, 429]
        good = cancel_of(town.order(), town.machines["meter"].signer)
        assert (await http.post(CANCEL, json=good)).status_code == 200


def cancel_body(town: Town, body: dict[str, Any]) -> dict[str, Any]:
    """Write the body that cancels the order in another body."""
    order = order_from_members(body["order"])
    return cancel_of(SignedOrder(order, b""), town.machines["meter"].signer)


async def test_a_cancelled_order_opens_no_session_and_an_open_one_stays(tmp_path: Path):
    async with open_town(tmp_path) as town:
        body = town.opening()
        await town.made("POST", CANCEL, cancel_body(town, body))
        assert problem(await town.ask("POST", "/v1/sessions", body)) == (422, "cancelled")
        body = town.opening()
        opened = (await town.made("POST", "/v1/sessions", body))["session"]
        told = await town.made("POST", CANCEL, cancel_body(town, body))
        assert told["state"] == "held"
        again = await town.made("POST", "/v1/sessions", body)
        assert (again["session"]["id"], again["session"]["state"]) == (opened["id"], "open")


async def test_a_cancelled_order_is_refused_within_a_batch(tmp_path: Path):
    async with open_town(tmp_path) as town:
        cancelled, other = town.payment(), town.payment()
        await town.made("POST", CANCEL, cancel_body(town, cancelled))
        told = await town.made("POST", "/v1/payments/batch", {"payments": [cancelled, other]})
        assert "cancelled" in str(told)
        assert await town.available("shop") == 1500
