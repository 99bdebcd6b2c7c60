"""A hub whose rail is asked while it is killed, again and again: each movement is done once."""

import asyncio
import time

import httpx
import pytest

from farthing.rails.simulated import Simulated
from tests.e2e.crashing import CrashingHub

pytestmark = pytest.mark.prove

_PLACES = ("ok", "fail", "slow", "unclear", "lost")
_PATIENCE_SECONDS = 90


async def listed(client, noun: str) -> list[dict]:
    answer = await client.get(f"/v1/{noun}", params={"limit": "500"})
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


@pytest.mark.parametrize(
    "engine", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
async def test_a_hub_killed_while_its_rail_is_asked_does_everything_once(tmp_path, engine, request):
    books = 'engine = "sqlite"'
    if engine == "postgresql":
        books = f'engine = "postgresql"\ndsn = "{request.getfixturevalue("postgres_dsn")}"'
    hub = CrashingHub(tmp_path, books + "\n[rails]\nsimulated = true")
    try:
        await asyncio.to_thread(hub.start)
        await hub.furnish()
        async with hub.client() as client:
            purse = (await hub.ask(client, "/v1/accounts", asset="USD"))["id"]
            await hub.ask(client, "/v1/credits", account=purse, asset="USD", units="100000")
        for turn in range(4):
            await begin_until_killed(hub, purse, turn)
            await asyncio.to_thread(hub.start)
        async with hub.client() as client:
            known = await all_booked(client)
            shown = (await client.get(f"/v1/accounts/{purse}")).json()["balance"]
    finally:
        hub.stop()
    done = Simulated(tmp_path / "simulated-rail.log").moved()
    assert set(done) == set(known)
    assert len(done) > 20
    wanted = 100_000
    for ident, one in done.items():
        assert known[ident]["state"] == one["state"]
        if one["state"] == "settled":
            wanted += one["units"] if one["direction"] == "top" else -one["units"]
    assert (int(shown["available"]), int(shown["held"])) == (wanted, 0)
    await hub.check()


async def begin_until_killed(hub, purse: str, turn: int) -> None:
    """Begin movements from several clients, and kill the hub in the midst of them."""
    async with hub.client() as client:

        async def keep_on(number: int) -> None:
            while True:
                noun, place = ("topups", "payouts")[number % 2], _PLACES[number % 5]
                body = {"account": purse, "asset": "USD", "units": "7", "place": place}
                try:
                    await hub.ask(client, f"/v1/{noun}", **body)
                except httpx.HTTPError:
                    return
                number += 3

        clients = [asyncio.create_task(keep_on(turn + i)) for i in range(4)]
        await asyncio.sleep(0.15 + turn * 0.1)
        hub.kill()
        await asyncio.gather(*clients)


async def all_booked(client) -> dict[str, dict]:
    """Wait until nothing is under way, and give what there is."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        found = [*await listed(client, "topups"), *await listed(client, "payouts")]
        if all(one["booked"] for one in found):
            return {one["id"]: one for one in found}
        assert time.monotonic() < deadline, [one for one in found if not one["booked"]][:3]
        await asyncio.sleep(0.3)
