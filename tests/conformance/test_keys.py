"""Buyers' idempotency keys: one payment and one answer per key and content."""

import asyncio

import pytest

from farthing.clock import system_clock
from farthing.testing.worlds import HandClock

from .hall import PRICE, Counter, Hall, Place, open_hall

KEY = {"idempotency-key": "order-1"}


async def buy(hall: Hall, path: str = "/paid", body: bytes = b"one", key: str = "order-1", **more):
    """Pay with a new credential under a key."""
    headers = {"idempotency-key": key}
    return await hall.pay("POST", path, content=body, headers=headers, **more)


@pytest.mark.rule("mpp.idempotency")
@pytest.mark.parametrize("language", ["mpp", "x402"])
async def test_a_new_credential_under_the_same_key(place: Place, language: str):
    """A repeated POST gets the first answer and is not charged again."""
    async with open_hall(place, Counter(headers=[(b"x-mark", b"first")])) as hall:
        first = await buy(hall, language=language)
        again = await buy(hall, language=language)
        assert (again.status_code, again.content) == (200, b"goods")
        name = "payment-receipt" if language == "mpp" else "payment-response"
        assert again.headers[name] == first.headers[name]
        assert (await hall.earned(), hall.stall.runs) == (PRICE, 1)


@pytest.mark.rule("idempotency-key.conflict")
async def test_another_request_under_the_same_key(place: Place):
    """The same key with another request is 409, nothing is taken."""
    async with open_hall(place) as hall:
        await buy(hall, "/item/one")
        for path, body in (("/item/two", b"one"), ("/item/one", b"two"), ("/item/one?x=1", b"one")):
            answer = await buy(hall, path, body)
            assert (answer.status_code, answer.json()["code"]) == (409, "idempotency-key-reused")
            assert "www-authenticate" not in answer.headers
        assert (await hall.earned(), hall.stall.runs) == (PRICE, 1)


@pytest.mark.rule("farthing.key-scope")
async def test_keys_are_scoped(place: Place):
    """A key belongs to its device, method and route, and to no other."""
    async with open_hall(place) as hall:
        await buy(hall)
        await buy(hall, "/item/one")
        await hall.pay("PUT", content=b"one", headers=KEY)
        await hall.town.enrol("other", "purse", hall.town.machines["meter"].mandate)
        hall.machine = "other"
        await buy(hall)
        await hall.pay("GET", headers=KEY)
        await hall.pay("GET", headers=KEY)
        assert (await hall.earned(), hall.stall.runs) == (6 * PRICE, 6)


@pytest.mark.rule("farthing.key-after-proof")
async def test_a_key_is_looked_at_after_the_proof(place: Place):
    """A key says nothing to whoever has not proved to be its device."""
    async with open_hall(place) as hall:
        await buy(hall)
        for body in (b"one", b"two"):
            asked = await hall.ask("POST", content=body)
            forged = hall.credential(asked, amount=1)  # Signed, but not what is claimed.
            answer = await hall.ask("POST", content=body, headers=KEY | forged)
            assert (answer.status_code, answer.json()["code"]) == (402, "verification-failed")
        assert await hall.earned() == PRICE


@pytest.mark.rule("mpp.idempotency")
async def test_many_at_once(place: Place):
    """Twenty credentials under one key at once are one payment."""
    async with open_hall(place, Counter(seconds=0.1)) as hall:
        asked = await asyncio.gather(*(hall.ask("POST", content=b"one") for _ in range(20)))
        answers = await asyncio.gather(
            *(hall.ask("POST", content=b"one", headers=KEY | hall.credential(one)) for one in asked)
        )
        assert {(answer.status_code, answer.content) for answer in answers} == {(200, b"goods")}
        assert (await hall.earned(), hall.stall.runs) == (PRICE, 1)


@pytest.mark.rule("farthing.key-after-restart")
async def test_after_a_restart(place: Place):
    """After a restart a known key is 409 already-paid with the receipt."""
    async with open_hall(place) as hall:
        first = await buy(hall)
        hall.become()
        again = await buy(hall)
        assert (again.status_code, again.json()["code"]) == (409, "already-paid")
        [payment] = await hall.payments()
        assert again.json()["receipt"]["statement"]["payment"] == payment["id"]
        assert "payment-receipt" in first.headers
        assert (await hall.earned(), hall.stall.runs) == (PRICE, 1)


@pytest.mark.rule("farthing.key-of-nothing")
async def test_a_first_try_that_took_nothing(place: Place):
    """A key whose first try took no money is tried anew."""
    async with open_hall(place, Counter(500)) as hall:
        assert (await buy(hall)).status_code == 500
        hall.stall.status = 200
        assert [(await buy(hall)).status_code for _ in range(2)] == [200, 200]
        assert (await hall.earned(), hall.stall.runs) == (PRICE, 2)


@pytest.mark.rule("farthing.key-for-a-day")
async def test_a_key_lives_for_a_day(place: Place):
    """The first answer is kept for 24 hours, then the key is new."""
    clock = HandClock(system_clock())
    async with open_hall(place, clock=clock) as hall:
        await buy(hall)
        clock.move(86_000)
        assert (await buy(hall)).content == b"goods"
        assert (await hall.earned(), hall.stall.runs) == (PRICE, 1)
        clock.move(500)
        await buy(hall)
        assert (await hall.earned(), hall.stall.runs) == (2 * PRICE, 2)


@pytest.mark.rule("idempotency-key.form")
@pytest.mark.parametrize("key", ["", "x" * 129, "a\tb", "caf\xe9"])
async def test_an_odd_key(place: Place, key: str):
    """A key that cannot be read is 400 before money is looked at."""
    async with open_hall(place) as hall:
        asked = await hall.ask("POST")
        headers = [*hall.credential(asked).items(), ("idempotency-key", key.encode("latin-1"))]
        answer = await hall.ask("POST", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-idempotency-key")
        assert hall.stall.runs == 0


@pytest.mark.rule("farthing.key-while-asked")
async def test_an_approved_payment_is_served_under_its_key(place: Place):
    """An order that waits for its owner is one, however often signed."""
    async with open_hall(place) as hall:
        await hall.town.enrol("shy", "purse", await hall.town.mandate(ask_above="10"))
        hall.machine = "shy"
        asked = [await buy(hall) for _ in range(2)]
        assert {answer.json()["code"] for answer in asked} == {"awaiting-owner"}
        [payment] = await hall.payments()
        await hall.town.made("POST", f"/v1/payments/{payment['id']}/approve", who="buyer.owner")
        assert [(await buy(hall)).content for _ in range(2)] == [b"goods", b"goods"]
        assert (await hall.earned(), hall.stall.runs) == (PRICE, 1)
