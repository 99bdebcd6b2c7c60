"""Webhooks: everything that happens to an owner gets to where it asked, signed, once it can."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from farthing.clock import system_clock
from farthing.notifiers.outside import Networks, Outside
from farthing.services.carrying import Patience
from farthing.services.courier import Courier
from farthing.settings import WebhookSettings
from farthing.testing.worlds import HandClock
from tests.receiver import Got, Receiver, receiving
from tests.web.api.town import LOCAL, Town, changed, config_in, open_town

QUICK = Patience(first_seconds=0.05, longest_seconds=0.2, aside_after=3, tries_max=5)


@contextlib.asynccontextmanager
async def carried(town: Town, patience: Patience = QUICK, look_seconds: float = 0.1):
    """Send to webhooks as a served hub does."""
    outside = Outside(Networks(["127.0.0.0/8"]))
    courier = Courier(town.hub.ctx, outside.post, patience, lambda: 0.5, look_seconds)
    courier.start()
    try:
        yield courier
    finally:
        await courier.stop()
        await outside.close()


@contextlib.asynccontextmanager
async def settled(folder: Path, clock: Any = system_clock):
    """Open a hub whose operator lets webhooks go to this machine."""
    config = changed(config_in(folder), webhooks=WebhookSettings(allow_networks=["127.0.0.0/8"]))
    async with open_town(folder, clock=clock, config=config) as town:
        yield town


def in_town(test: Callable[[Town, Receiver], Any]) -> Any:
    """Give a test a hub and somebody who gets messages."""

    async def run(tmp_path: Path) -> None:
        with receiving() as receiver:
            async with settled(tmp_path) as town:
                await test(town, receiver)

    run.__name__ = test.__name__
    return run


@pytest.fixture
def receiver():
    with receiving() as found:
        yield found


async def hook(town: Town, receiver: Receiver, **members: Any) -> Any:
    body = {"url": f"{receiver.url}/paid", **members}
    return await town.made("POST", "/v1/webhooks", body, who="seller.seller")


async def until(holds, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        await asyncio.sleep(0.02)


async def shown(town: Town, made: Any, verb: str = "") -> Any:
    return await town.made("GET", f"/v1/webhooks/{made['id']}{verb}", who="seller.seller")


async def deliveries(town: Town, made: Any) -> list[Any]:
    return (await shown(town, made, "/deliveries"))["items"][::-1]


async def noted(town: Town, made: Any, tries: int) -> list[Any]:
    """Wait until the log shows so many tries: a receiver has a message before it is noted."""
    deadline = time.monotonic() + 15
    while len(found := await deliveries(town, made)) < tries:
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.02)
    return found


async def kinds_of(town: Town) -> list[str]:
    told = await town.made("GET", "/v1/events?limit=500&after=0", who="seller.seller")
    return [event["kind"] for event in told["items"]]


@in_town
async def test_what_happens_is_sent_in_order_and_verifies_with_the_published_library(
    town: Town, receiver: Receiver
):
    made = await hook(town, receiver)
    async with carried(town):
        paid = [await town.pay(10 + i) for i in range(5)]
        tries = await noted(town, made, 5)
    assert receiver.subjects() == [one["id"] for one in paid]
    for got, one in zip(receiver.got, paid, strict=True):
        told = Webhook(made["secret"]).verify(got.body, got.headers)
        assert told["type"] == "payment.captured"
        assert told["data"]["amount"] == one["amount"]
        assert told["data"]["subject"] == one["id"]
        with pytest.raises(WebhookVerificationError):
            Webhook(made["secret"]).verify(got.body.replace(b"captured", b"refunded"), got.headers)
    assert [(one["status"], one["fault"], one["attempt"]) for one in tries] == [(200, None, 1)] * 5
    assert len({one.id for one in receiver.got}) == 5


@in_town
async def test_only_the_kinds_asked_for_are_sent_and_only_what_happened_since(
    town: Town, receiver: Receiver
):
    await town.pay(1)
    await hook(town, receiver, kinds=["payment.refunded", "session.*"])
    async with carried(town):
        paid = await town.pay(50)
        path = f"/v1/payments/{paid['id']}/refunds"
        await town.made("POST", path, {"units": "20"}, who="seller.seller")
        await town.session()
        await until(lambda: len(receiver.got) == 2)
        await asyncio.sleep(0.3)
    assert [one.told["type"] for one in receiver.got] == ["payment.refunded", "session.opened"]


@in_town
async def test_a_payers_webhook_gets_nothing_of_others(town: Town, receiver: Receiver):
    body = {"url": f"{receiver.url}/paid", "owner": town.owners["buyer"]}
    await town.made("POST", "/v1/webhooks", body, who=LOCAL)
    other = await town.made("POST", "/v1/owners", {"name": "other"}, who=LOCAL)
    body = {"url": f"{receiver.url}/other", "owner": other["id"]}
    await town.made("POST", "/v1/webhooks", body, who=LOCAL)
    async with carried(town):
        await town.pay(10)
        await until(lambda: len(receiver.got) == 1)
        await asyncio.sleep(0.3)
    assert [one.path for one in receiver.got] == ["/paid"]


@in_town
async def test_an_endpoint_that_fails_gets_it_again_under_the_same_id_and_the_rest_after_it(
    town: Town, receiver: Receiver
):
    left = [503, 503, 500]
    receiver.answers = lambda _got: left.pop(0) if left else 200
    made = await hook(town, receiver)
    async with carried(town):
        paid = [await town.pay(10 + i) for i in range(3)]
        tries = await noted(town, made, 6)
    assert [one.subject for one in receiver.got] == [paid[0]["id"]] * 4 + [
        one["id"] for one in paid[1:]
    ]
    assert len({one.id for one in receiver.got[:4]}) == 1
    assert [one["attempt"] for one in tries] == [1, 2, 3, 4, 1, 1]
    assert [one["fault"] for one in tries][:4] == ["refused", "refused", "refused", None]


@in_town
async def test_an_event_that_an_endpoint_does_not_take_is_set_aside_and_at_last_given_up(
    town: Town, receiver: Receiver
):
    made = await hook(town, receiver)
    first = (await town.pay(10))["id"]
    receiver.answers = lambda got: 422 if got.subject == first else 200
    async with carried(town):
        paid = [await town.pay(20 + i) for i in range(3)]
        await until(lambda: len(receiver.subjects()) == 4)
        tries = [one.subject for one in receiver.got].count(first)
        assert tries >= QUICK.aside_after
        for _ in range(400):
            if "webhook.gave_up" in await kinds_of(town):
                break
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
    assert receiver.subjects() == [first, *(one["id"] for one in paid)]
    assert [one.subject for one in receiver.got].count(first) == QUICK.tries_max
    assert (await kinds_of(town)).count("webhook.gave_up") == 1
    assert (await shown(town, made))["state"] == "on"


@in_town
async def test_one_that_is_gone_is_turned_off_at_once_and_its_owner_is_told(
    town: Town, receiver: Receiver
):
    made = await hook(town, receiver)
    receiver.answers = lambda _got: 410
    async with carried(town):
        first = await town.pay(10)
        await until(lambda: len(receiver.got) == 1)
        for _ in range(800):
            if (await shown(town, made))["state"] == "off":
                break
            await asyncio.sleep(0.02)
        second = await town.pay(20)
        await asyncio.sleep(0.6)
        assert len(receiver.got) == 1
        assert (await shown(town, made))["why"] == "gone"
        assert (await kinds_of(town)).count("webhook.disabled") == 1
        receiver.answers = lambda _got: 200
        await town.made("POST", f"/v1/webhooks/{made['id']}/enable", who="seller.seller")
        await until(lambda: len(receiver.got) == 3)
    assert [one.subject for one in receiver.got][1:] == [first["id"], second["id"]]


async def test_one_to_which_nothing_gets_through_for_long_is_turned_off(tmp_path, receiver):
    clock = HandClock()
    async with settled(tmp_path, clock) as town:
        made = await hook(town, receiver)
        receiver.answers = lambda _got: 500
        async with carried(town, Patience(first_seconds=0.1, off_after_seconds=3600)):
            await town.pay(10)
            await noted(town, made, 1)
            clock.move(1800)
            await noted(town, made, 2)
            assert (await shown(town, made))["state"] == "on"
            clock.move(3000)
            for _ in range(800):
                if (await shown(town, made))["state"] == "off":
                    break
                await asyncio.sleep(0.02)
        assert (await shown(town, made))["why"] == "failing"
        assert "webhook.disabled" in await kinds_of(town)


async def test_after_a_rotation_both_secrets_verify_and_later_only_the_new_one(
    tmp_path, receiver: Receiver
):
    clock = HandClock(time.time_ns())
    async with settled(tmp_path, clock) as town:
        made = await hook(town, receiver)
        path = f"/v1/webhooks/{made['id']}/rotate"
        new = await town.made("POST", path, {"overlap_seconds": 60}, who="seller.seller")
        assert new["secret"] != made["secret"]
        async with carried(town):
            await town.pay(10)
            await until(lambda: len(receiver.got) == 1)
            clock.move(61)
            await town.pay(10)
            await until(lambda: len(receiver.got) == 2)
    first, second = receiver.got
    Webhook(made["secret"]).verify(first.body, first.headers)
    Webhook(new["secret"]).verify(first.body, first.headers)
    Webhook(new["secret"]).verify(second.body, second.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(made["secret"]).verify(second.body, second.headers)


@in_town
async def test_a_range_is_sent_again_in_order_under_the_same_ids(town: Town, receiver: Receiver):
    made = await hook(town, receiver)
    async with carried(town):
        for i in range(4):
            await town.pay(10 + i)
        await noted(town, made, 4)
        numbers = [one.told["data"]["event"] for one in receiver.got]
        body = {"after": numbers[0], "until": numbers[2]}
        path = f"/v1/webhooks/{made['id']}/replay"
        await town.made("POST", path, body, who="seller.seller")
        await until(lambda: len(receiver.got) == 6)
        await asyncio.sleep(0.5)
    assert [one.id for one in receiver.got[4:]] == [one.id for one in receiver.got[1:3]]
    bad = await town.ask("POST", path, {"after": numbers[2], "until": numbers[0]}, who=LOCAL)
    assert (bad.status_code, bad.json()["code"]) == (400, "nothing-to-replay")


@in_town
async def test_a_test_message_goes_to_one_webhook_whatever_it_wants(town: Town, receiver: Receiver):
    made = await hook(town, receiver, kinds=["session.opened"])
    await hook(town, receiver, kinds=["session.opened"])
    async with carried(town):
        await town.made("POST", f"/v1/webhooks/{made['id']}/test", who="seller.seller")
        await noted(town, made, 1)
        await asyncio.sleep(0.4)
    [got] = receiver.got
    assert Webhook(made["secret"]).verify(got.body, got.headers)["type"] == "webhook.tested"
    assert [one["kind"] for one in await deliveries(town, made)] == ["webhook.tested"]


@in_town
async def test_a_removed_one_leaves_neither_url_nor_secret_and_the_audit_is_clean(
    town: Town, receiver: Receiver
):
    made = await hook(town, receiver)
    await town.made("POST", f"/v1/webhooks/{made['id']}/rotate", {}, who="seller.seller")
    removed = await town.made("POST", f"/v1/webhooks/{made['id']}/remove", who="seller.seller")
    assert (removed["state"], removed["url"]) == ("removed", "")
    [row] = (await town.dump())["webhooks"]
    assert receiver.url not in str(row)
    assert "key" not in str(row)
    again = await town.ask("POST", f"/v1/webhooks/{made['id']}/rotate", {}, who="seller.seller")
    assert again.json()["code"] == "webhook-removed"
    async with carried(town):
        await town.pay(10)
        await asyncio.sleep(0.4)
    assert receiver.got == []


@in_town
async def test_an_owner_has_so_many_and_no_more(town: Town, receiver: Receiver):
    for _ in range(20):
        await hook(town, receiver)
    full = await town.ask("POST", "/v1/webhooks", {"url": f"{receiver.url}/"}, who="seller.seller")
    assert (full.status_code, full.json()["code"]) == (409, "too-many-webhooks")


@in_town
async def test_a_slow_endpoint_keeps_nobody_else_waiting(town: Town, receiver: Receiver):
    answered, let_go = [], threading.Event()

    def answer(got: Got) -> int:
        if got.path == "/slow":
            let_go.wait()
        answered.append(got.path)
        return 200

    receiver.answers = answer
    await hook(town, receiver, url=f"{receiver.url}/slow")
    await hook(town, receiver)
    try:
        async with carried(town):
            for i in range(3):
                await town.pay(10 + i)
            await until(lambda: len(answered) == 3)
            assert answered == ["/paid"] * 3
            assert [one.path for one in receiver.got].count("/slow") <= 1
            let_go.set()
            await until(lambda: answered.count("/slow") == 3)
    finally:
        let_go.set()


@in_town
async def test_what_a_killed_courier_did_not_note_is_sent_again_under_the_same_id(
    town: Town, receiver: Receiver
):
    await hook(town, receiver)
    async with carried(town) as courier:
        commit, lost = town.hub.ctx.books.commit_one, []

        async def losing(unit: Any, of: str = "") -> Any:
            if type(unit).__name__ == "Sent" and not lost:
                lost.append(unit)
                await asyncio.Event().wait()  # As if the process were gone right here.
            return await commit(unit, of)

        town.hub.ctx.books.commit_one = losing
        paid = await town.pay(10)
        await until(lambda: bool(lost))
        assert courier is not None
    town.hub.ctx.books.commit_one = commit
    async with carried(town):
        await until(lambda: len(receiver.got) == 2)
    assert receiver.got[0].id == receiver.got[1].id
    assert receiver.subjects() == [paid["id"]]


@in_town
async def test_events_are_not_looked_at_where_nobody_wants_them(town: Town, receiver: Receiver):
    looks, read = [], town.hub.ctx.database.read

    async def noting(work: Any) -> Any:
        if "courier" in getattr(work, "__code__", noting.__code__).co_filename:
            looks.append(work)
        return await read(work)

    town.hub.ctx.database.read = noting
    async with carried(town, look_seconds=60):
        for i in range(20):
            await town.pay(10 + i)
        await asyncio.sleep(0.5)
    town.hub.ctx.database.read = read
    assert len(looks) == 1
