"""Looking things up: nobody hides another one's payment, and nobody learns of it."""

import asyncio

import pytest

from farthing.errors import Unauthenticated
from farthing.services.access import Access
from tests.web.api.town import open_town


async def rival(town) -> None:
    """Another buyer, with a device and some money."""
    made = await town.made("POST", "/v1/owners", {"name": "rival"}, who="local")
    town.owners["rival"] = made["id"]
    wanted = {"scopes": ["read"], "owner": made["id"]}
    key = await town.made("POST", "/v1/keys", wanted, who="local")
    town.keys["rival.read"] = key["secret"]
    body = {"asset": "USD", "owner": made["id"]}
    town.accounts["wallet"] = (await town.made("POST", "/v1/accounts", body, who="local"))["id"]
    credit = {"account": town.accounts["wallet"], "units": "1000000", "asset": "USD"}
    await town.made("POST", "/v1/credits", credit, who="local")
    await town.enrol("spy", "wallet", await town.mandate("rival"))


async def test_a_challenge_named_by_others_too_still_finds_ones_own_payment(tmp_path):
    async with open_town(tmp_path) as town:
        await rival(town)
        for _ in range(3):
            await town.pay(1, machine="spy", challenge="seen-in-passing")
        mine = await town.pay(1500, challenge="seen-in-passing")
        path = "/v1/payments?challenge=seen-in-passing"
        for who in ("meter", "buyer.read"):
            found = await town.made("GET", path, who=who)
            assert [item["id"] for item in found["items"]] == [mine["id"]]


async def test_anothers_idempotency_keys_cannot_be_told_from_unused_ones(tmp_path):
    async with open_town(tmp_path) as town:
        await rival(town)
        headers = {"idempotency-key": "order-1"}
        await town.made("POST", "/v1/payments", town.payment(machine="meter"), headers=headers)
        device = town.machines["meter"].id
        said = [
            await town.ask(
                "GET", f"/v1/payments?idempotency_key={key}&device={device}", who="seller.read"
            )
            for key in ("order-1", "order-2")
        ]
        assert said[0].status_code == 200  # The payee's own sale.
        hidden = [
            await town.ask(
                "GET", f"/v1/payments?idempotency_key={key}&device={device}", who="rival.read"
            )
            for key in ("order-1", "order-2")
        ]
        assert {answer.status_code for answer in hidden} == {404}
        assert hidden[0].json() == hidden[1].json()


async def test_a_receipt_signed_by_a_key_admitted_since_is_given(tmp_path):
    async with open_town(tmp_path) as town:
        paid = await town.pay()
        town.hub.ctx.identity.certificates.clear()  # As where another process has added its key.
        shown = await town.made("GET", f"/v1/payments/{paid['id']}", who="buyer.read")
        assert shown["receipt"]["certificate"]["hub"] == town.hub.ctx.identity.hub


class SlowToTell:
    """A database whose answers to reads are held up on their way."""

    def __init__(self, inner) -> None:
        self.inner, self.found, self.go_on = inner, asyncio.Event(), asyncio.Event()
        self.exclusive = inner.exclusive

    async def read(self, work):
        found = await self.inner.read(work)
        self.found.set()
        await self.go_on.wait()
        return found


async def test_a_key_revoked_while_it_is_looked_up_is_refused_from_the_next_request_on(tmp_path):
    async with open_town(tmp_path) as town:
        ctx, secret = town.hub.ctx, town.keys["buyer.read"]
        slow = SlowToTell(ctx.database)
        ctx.database, kept = slow, ctx.database
        access = Access(ctx)
        asking = asyncio.create_task(access.by_key(secret))
        await slow.found.wait()
        ctx.database = kept
        key = next(k for k in (await town.made("GET", "/v1/keys", who="local"))["items"]
                   if k["scopes"] == ["read"] and k["owner"] == town.owners["buyer"])  # fmt: skip
        await town.made("POST", f"/v1/keys/{key['id']}/revoke", who="local")
        access.forget_keys()
        slow.go_on.set()
        await asking
        with pytest.raises(Unauthenticated):
            await access.by_key(secret)
