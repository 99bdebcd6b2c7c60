"""The MPP core draft on safety: transport, secrets, replay, concurrency, caches, floods."""

import asyncio

import pytest

from farthing.clock import system_clock
from farthing.hub_keys import KeyRing
from farthing.protocols.mpp import Mpp
from farthing.protocols.x402 import X402
from farthing.testing.worlds import HandClock
from farthing.web.limits import Limits

from .hall import (
    AWAY,
    PRICE,
    Counter,
    Place,
    asks_afresh,
    mpp_field,
    mpp_message,
    open_hall,
)


@pytest.mark.rule("mpp.challenge-size", "mpp.credential-size")
async def test_sizes(place: Place):
    """Challenges below 8 KB, credentials of 4 KB and more are read."""
    async with open_hall(place) as hall:
        asked = await hall.ask(path="/paid?q=" + "x" * 1500)
        assert len(asked.headers["www-authenticate"]) < 8192
        message = mpp_message(hall.credential(asked)) | {"source": "did:key:" + "z" * 6000}
        paid = await hall.ask(path="/paid?q=" + "x" * 1500, headers=mpp_field(message))
        assert paid.status_code == 200


@pytest.mark.rule("mpp.no-plain-http")
async def test_nothing_over_plain_http(place: Place):
    """No challenge and no credential over plain HTTP from afar."""
    async with open_hall(place) as hall:
        paying = hall.credential(await hall.ask())
        async with hall.client(AWAY) as far:
            for headers in ({}, paying):
                answer = await far.get("/paid", headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (403, "tls-required")
                assert "www-authenticate" not in answer.headers
        async with hall.client(AWAY, base_url="https://shop.example") as far:
            assert asks_afresh(await far.get("/paid"))
        assert (await hall.earned(), hall.stall.runs) == (0, 0)


@pytest.mark.rule("mpp.secret-rotation")
async def test_secret_rotation(place: Place):
    """The previous secret's challenges hold after a rotation."""
    ring = KeyRing(place.folder / "keys")
    async with open_hall(place) as hall:
        asked = await hall.ask()
        ring.rotate_challenge_secret()
        hall.become(languages=[Mpp(ring.challenge_secrets()), X402()])
        assert (await hall.ask(headers=hall.credential(asked))).status_code == 200
        assert (await hall.pay()).status_code == 200
        still = await hall.ask()
        for _ in range(2):
            ring.rotate_challenge_secret()
        hall.become(languages=[Mpp(ring.challenge_secrets()), X402()])
        answer = await hall.ask(headers=hall.credential(still))
        assert answer.json()["code"] == "invalid-challenge"


@pytest.mark.rule("mpp.single-use")
async def test_single_use(place: Place):
    """A challenge pays once; another order for it is refused."""
    async with open_hall(place) as hall:
        asked = await hall.ask()
        assert (await hall.ask(headers=hall.credential(asked))).status_code == 200
        await hall.town.enrol("other", "purse", hall.town.machines["meter"].mandate)
        hall.machine = "other"
        again = await hall.ask(headers=hall.credential(asked))
        assert (again.status_code, again.json()["code"]) == (409, "nonce-used")
        assert (await hall.earned(), hall.stall.runs) == (PRICE, 1)


@pytest.mark.rule("farthing.one-run", "mpp.concurrent-use")
async def test_concurrent_use(place: Place):
    """One settlement and one delivery per credential."""
    async with open_hall(place, Counter(seconds=0.05)) as hall:
        paying = hall.credential(await hall.ask())
        answers = await asyncio.gather(*(hall.ask(headers=paying) for _ in range(20)))
        assert {(answer.status_code, answer.content) for answer in answers} == {(200, b"goods")}
        assert (await hall.earned(), hall.stall.runs) == (PRICE, 1)


@pytest.mark.rule("mpp.unpaid-runs-nothing", "mpp.unpaid-changes-nothing")
async def test_unpaid_requests_change_nothing(place: Place):
    """An unpaid request runs nothing and changes no state."""
    async with open_hall(place) as hall:
        before = await hall.town.dump()
        await hall.ask("POST", content=b"do it")
        await hall.ask("POST", content=b"do it", headers={"authorization": "Payment x"})
        assert await hall.town.dump() == before
        assert hall.stall.runs == 0


@pytest.mark.rule("mpp.no-store", "mpp.private")
async def test_caching(place: Place):
    """402 is no-store; with a receipt an answer is private, never public."""
    stall = Counter(
        headers=[(b"cache-control", b"public, max-age=60, s-maxage=9"), (b"vary", b"x")]
    )
    async with open_hall(place, stall) as hall:
        assert (await hall.ask()).headers["cache-control"] == "no-store"
        paid = await hall.pay()
        assert paid.headers["cache-control"] == "private, max-age=60"
        assert paid.headers["vary"] == "x"


@pytest.mark.rule("asvs.2.4.1", "mpp.retry-after", "mpp.rate-limit", "rfc6585.429")
async def test_rate_limit(place: Place):
    """Challenges and checks are limited by address, 429 and when."""
    limits = Limits(asks_per_second=0.5, asks_burst=4)
    clock = HandClock(system_clock())
    async with open_hall(place, limits=limits, clock=clock) as hall:
        async with hall.client(AWAY, base_url="https://shop.example") as far:
            for _ in range(6):  # Whoever pays is not slowed.
                asked = await far.get("/paid")
                assert (await far.get("/paid", headers=hall.credential(asked))).status_code == 200
            told = [await far.get("/paid") for _ in range(6)]
        assert [answer.status_code for answer in told] == [402] * 4 + [429] * 2
        assert told[-1].headers["retry-after"] == "2"
        assert told[-1].json()["code"] == "too-many-requests"
        clock.move(2)
        async with hall.client(AWAY, base_url="https://shop.example") as far:
            assert asks_afresh(await far.get("/paid"))
        assert asks_afresh(await hall.ask())


@pytest.mark.rule("mpp.several-credentials")
async def test_several_credentials(place: Place):
    """Several Payment credentials in one request are 400."""
    async with open_hall(place) as hall:
        asked = await hall.ask()
        one, two = hall.credential(asked), hall.credential(asked, "x402")
        twice = f"{one['authorization']}, {one['authorization']}"
        for headers in (one | two, {"authorization": twice}):
            answer = await hall.ask(headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (400, "several-credentials")
        assert (await hall.earned(), hall.stall.runs) == (0, 0)
