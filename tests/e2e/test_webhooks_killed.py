"""Hubs that send to webhooks, and are killed while they do: everything arrives, once or again."""

import asyncio
import json
import time

import pytest
from standardwebhooks import Webhook

from tests.e2e.crashing import CrashingHub
from tests.e2e.many_hubs import ManyHubs
from tests.receiver import receiving

pytestmark = pytest.mark.prove

_ALLOWED = '\n[webhooks]\nallow_networks = ["127.0.0.0/8"]'
_PATIENCE_SECONDS = 60


def books_of(engine: str, request) -> str:
    if engine == "sqlite":
        return 'engine = "sqlite"' + _ALLOWED
    return f'engine = "postgresql"\ndsn = "{request.getfixturevalue("postgres_dsn")}"{_ALLOWED}'


async def until(holds) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        await asyncio.sleep(0.02)


async def pay_many(hub, client, count: int) -> list[str]:
    """Pay one after the other, and give the payments in their order."""
    made = []
    for _ in range(count):
        sent = hub.order(held=False)
        await hub.pay(client, sent)
        made.append(sent.payment)
    return made


@pytest.mark.parametrize(
    "engine", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
async def test_a_hub_killed_in_mid_delivery_loses_nothing(tmp_path, engine, request):
    with receiving() as receiver:

        def slowly(_got):
            time.sleep(0.03)
            return 200

        receiver.answers = slowly
        hub = CrashingHub(tmp_path, books_of(engine, request))
        try:
            await asyncio.to_thread(hub.start)
            await hub.furnish()
            async with hub.client() as client:
                made = await hub.ask(client, "/v1/webhooks", url=f"{receiver.url}/paid")
                paid = await pay_many(hub, client, 40)
            await until(lambda: len(receiver.got) >= 15)
            hub.kill()
            known = len(receiver.got)
            assert known < 40, "it was killed while there was something to send"
            await asyncio.to_thread(hub.start)
            async with hub.client() as client:
                paid += await pay_many(hub, client, 3)
            await until(lambda: len(receiver.subjects()) == len(paid))
            await asyncio.sleep(0.3)
        finally:
            hub.stop()
        assert receiver.subjects() == paid
        ids = {one.subject: set() for one in receiver.got}
        for one in receiver.got:
            ids[one.subject].add(one.id)
            Webhook(made["secret"]).verify(one.body, one.headers)
        assert {len(each) for each in ids.values()} == {1}
        await hub.check()


async def test_of_several_workers_one_sends(tmp_path, request):
    with receiving() as receiver:
        hub = CrashingHub(tmp_path, books_of("sqlite", request))
        try:
            await asyncio.to_thread(hub.start, "--workers", "2")
            await hub.furnish()
            async with hub.client() as client:
                await hub.ask(client, "/v1/webhooks", url=f"{receiver.url}/paid")
                paid = await pay_many(hub, client, 20)
            await until(lambda: len(receiver.subjects()) == len(paid))
            await asyncio.sleep(1)
        finally:
            hub.stop()
        assert [one.subject for one in receiver.got] == paid


@pytest.mark.postgres
async def test_of_several_hubs_one_sends_and_another_goes_on_where_it_is_killed(tmp_path, request):
    with receiving() as receiver:
        hubs = ManyHubs(tmp_path, books_of("postgresql", request))
        try:
            await asyncio.to_thread(hubs.start_all)
            await hubs.furnish()
            async with hubs.client() as client:
                made = await hubs.ask(client, "/v1/webhooks", url=f"{receiver.url}/paid")
                paid = await pay_many(hubs, client, 20)
                await until(lambda: len(receiver.subjects()) == len(paid))
                await asyncio.sleep(2.5)  # Both have looked whether it is their turn.
                assert [one.subject for one in receiver.got] == paid
                hubs.hubs[1].kill()
                paid += await pay_many(hubs, client, 5)
                await until(lambda: len(receiver.subjects()) == len(paid))
                hubs.hubs[1].begin()
                await asyncio.to_thread(hubs.hubs[1].wait_ready)
                hubs.hubs[0].kill()
                paid += await pay_many(hubs, client, 5)
                await until(lambda: len(receiver.subjects()) == len(paid))
        finally:
            hubs.stop_all()
        assert receiver.subjects() == paid
        assert json.loads(receiver.got[-1].body)["type"] == "payment.captured"
        assert made["state"] == "on"
