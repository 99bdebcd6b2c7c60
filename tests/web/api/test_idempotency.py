"""`Idempotency-Key`: the same request again gets the first answer; another one is refused."""

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from farthing.codec import to_base64url
from farthing.core.devices import rotation_bytes
from farthing.keys import new_signer
from farthing.testing.worlds import HandClock
from farthing.web.api.openapi import describe
from farthing.web.app import all_endpoints

from .access_table import ROWS
from .parties import open_parties
from .test_bad_payments import problem
from .town import LOCAL, URL, Town, open_town

KEY = {"idempotency-key": "one"}


async def post(town: Town, path: str, body: Any, who: str, key: str = "one") -> Any:
    """Send a request under a key."""
    return await town.ask("POST", path, body, who=who, headers={"idempotency-key": key})


@pytest.mark.rule("idempotency-key.replay", on="hub")
async def test_the_same_key_and_body_replay_the_first_answer(tmp_path: Path):
    async with open_town(tmp_path) as town:
        body = {"asset": "USD", "name": "savings"}
        first = await post(town, "/v1/accounts", body, "buyer.owner")
        again = await post(town, "/v1/accounts", body, "buyer.owner")
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.content == again.content
        assert "idempotent-replay" not in first.headers
        assert again.headers["idempotent-replay"] == "true"
        other = await post(town, "/v1/accounts", body, "buyer.owner", key="two")
        assert other.json()["id"] != first.json()["id"]


@pytest.mark.rule("idempotency-key.replay", on="hub")
async def test_fifty_at_once_under_one_key_are_one(tmp_path: Path):
    async with open_town(tmp_path) as town:
        body = {"account": town.accounts["purse"], "units": "5", "asset": "USD"}
        before = await town.available("purse")
        told = await asyncio.gather(*(post(town, "/v1/credits", body, LOCAL) for _ in range(50)))
        assert {answer.status_code for answer in told} == {201}
        assert sum("idempotent-replay" not in answer.headers for answer in told) == 1
        assert await town.available("purse") == before + 5


@pytest.mark.rule("idempotency-key.conflict", on="hub")
async def test_the_same_key_with_another_body_or_path_is_a_conflict(tmp_path: Path):
    async with open_town(tmp_path) as town:
        await post(town, "/v1/accounts", {"asset": "USD"}, "buyer.owner")
        before = await town.dump()
        answer = await post(town, "/v1/accounts", {"asset": "EUR"}, "buyer.owner")
        assert problem(answer) == (409, "idempotency-key-reused")
        assert await town.dump() == before
        purse, shop = town.accounts["purse"], town.accounts["shop"]
        await post(town, f"/v1/accounts/{purse}/freeze", None, LOCAL)
        answer = await post(town, f"/v1/accounts/{shop}/freeze", None, LOCAL)
        assert problem(answer) == (409, "idempotency-key-reused")


async def test_keys_of_other_principals_and_routes_are_other_keys(tmp_path: Path):
    async with open_town(tmp_path) as town:
        for who in ("buyer.owner", "seller.owner"):
            answer = await post(town, "/v1/accounts", {"asset": "USD"}, who)
            assert "idempotent-replay" not in answer.headers
        answer = await post(town, "/v1/mandates", {"asset": "USD"}, "buyer.owner")
        assert answer.status_code == 201


@pytest.mark.rule("farthing.secret-once", on="hub")
async def test_a_secret_is_shown_once(tmp_path: Path):
    async with open_town(tmp_path) as town:
        meter = town.machines["meter"]
        for path, body in (
            ("/v1/keys", {"scopes": ["owner"]}),
            ("/v1/devices/invitations", {"account": meter.account, "mandate": meter.mandate}),
        ):
            first = await post(town, path, body, "buyer.owner")
            assert first.status_code == 201
            again = await post(town, path, body, "buyer.owner")
            assert problem(again) == (409, "secret-shown-once")
        rows = str(await town.dump())
        assert first.json()["code"] not in rows


async def test_a_refusal_uses_no_key_up(tmp_path: Path):
    async with open_town(tmp_path) as town:
        answer = await post(town, "/v1/accounts", {"asset": "XYZ"}, "buyer.owner")
        assert problem(answer) == (404, "unknown-asset")
        answer = await post(town, "/v1/accounts", {"asset": "USD"}, "buyer.owner")
        assert answer.status_code == 201


@pytest.mark.rule("idempotency-key.form", on="hub")
@pytest.mark.parametrize("key", ["x" * 129, "a\tb", "\u00ad"])
async def test_an_odd_key_is_refused(tmp_path: Path, key: str):
    async with open_town(tmp_path) as town:
        fields = [
            (b"authorization", f"Bearer {town.keys['buyer.owner']}".encode()),
            (b"idempotency-key", key.encode("latin-1")),
        ]
        request = httpx.Request("POST", f"{URL}/v1/accounts", headers=fields, json={"asset": "USD"})
        answer = await town.http.send(request)
        assert problem(answer) == (400, "malformed-idempotency-key")


async def test_a_key_is_looked_at_exactly_where_it_is_described(tmp_path: Path):
    described = {f"{e.method} {e.path}" for e in all_endpoints() if e.keyed}
    looked_at: set[str] = set()
    async with open_parties(tmp_path) as parties:
        for row in [row for row in ROWS if row.method != "GET"]:
            request = await parties.request(row, "payee" if "payee" in row.whose else "payer")
            odd = {"idempotency-key": "x" * 129}
            answer = await parties.town.ask(*request, who=LOCAL, headers=odd)
            if re.search("malformed.idempotency.key", answer.text):
                looked_at.add(row.request)
            else:
                assert answer.status_code in (200, 201), (row, answer.text)
    assert looked_at == described
    told = describe(all_endpoints(), "")["paths"]
    for row in ROWS:
        names = [p["name"] for p in told[row.path][row.method.lower()]["parameters"]]
        assert ("Idempotency-Key" in names) == (row.request in described), row


@pytest.mark.rule("farthing.key-for-a-day", on="hub")
async def test_a_key_is_forgotten_after_a_day(tmp_path: Path):
    clock = HandClock()
    async with open_town(tmp_path, clock=clock) as town:
        await post(town, "/v1/accounts", {"asset": "USD"}, "buyer.owner")
        clock.move(86_401)
        answer = await post(town, "/v1/accounts", {"asset": "EUR"}, "buyer.owner")
        assert answer.status_code == 201


async def test_a_payment_is_found_by_its_devices_key(tmp_path: Path):
    async with open_town(tmp_path) as town:
        paid = await post(town, "/v1/payments", town.payment(), "nobody")
        ident, meter = paid.json()["id"], town.machines["meter"].id
        query = "/v1/payments?idempotency_key=one"
        found = await town.made("GET", query, who="meter")
        assert [item["id"] for item in found["items"]] == [ident]
        for who in ("buyer.read", "seller.read", "operator"):
            found = await town.made("GET", f"{query}&device={meter}", who=who)
            assert [item["id"] for item in found["items"]] == [ident]
        for other in (f"{query}x&device={meter}", f"{query}&device=dev_{'0' * 26}"):
            assert problem(await town.ask("GET", other, who="buyer.read"))[0] == 404


async def test_a_stranger_finds_nothing_by_a_key(tmp_path: Path):
    async with open_town(tmp_path) as town:
        await town.enrol("foreign", "shop", await town.mandate("seller"))
        await town.made("POST", "/v1/owners", {"name": "third"}, who=LOCAL)
        await post(town, "/v1/payments", town.payment(payee="shop"), "nobody")
        query = f"/v1/payments?idempotency_key=one&device={town.machines['meter'].id}"
        for who in ("foreign",):
            assert problem(await town.ask("GET", query, who=who)) == (404, "no-such-payment")


async def test_a_payments_key_stays_with_its_order(tmp_path: Path):
    async with open_town(tmp_path) as town:
        body = town.payment()
        first = await post(town, "/v1/payments", body, "nobody")
        again = await post(town, "/v1/payments", body, "nobody")
        assert first.json() == again.json()
        before = await town.dump()
        answer = await post(town, "/v1/payments", town.payment(7), "nobody")
        assert problem(answer) == (409, "idempotency-key-reused")
        assert await town.dump() == before


@pytest.mark.rule("farthing.key-after-proof", on="hub")
async def test_a_forged_order_learns_nothing_of_a_key(tmp_path: Path):
    """The key is looked at only after the proof binds who asks."""
    async with open_town(tmp_path) as town:
        await post(town, "/v1/payments", town.payment(), "nobody")
        forged = town.payment() | {"signature": "A" * 86}
        answer = await post(town, "/v1/payments", forged, "nobody")
        assert problem(answer) == (401, "bad-signature")


async def test_a_refund_that_failed_can_be_asked_for_again_under_its_key(tmp_path: Path):
    async with open_town(tmp_path) as town:
        paid = await town.pay()
        body = {"id": "ref_" + "0" * 26}
        path = f"/v1/payments/{paid['id']}/refunds"
        drain = await town.mandate("seller")
        await town.enrol("till", "shop", drain)
        await town.pay(1500, machine="till", payee="purse")
        answer = await post(town, path, body, "seller.seller")
        assert problem(answer) == (422, "insufficient-seller-balance")
        await town.pay(1500)
        answer = await post(town, path, body, "seller.seller")
        assert (answer.status_code, answer.json()["state"]) == (201, "done")
        again = await post(town, path, body, "seller.seller")
        assert again.content == answer.content
        assert await town.available("shop") == 0


async def test_rotations_of_two_devices_do_not_share_keys(tmp_path: Path):
    async with open_town(tmp_path) as town:
        await town.enrol("second", "purse", town.machines["meter"].mandate)
        for name in ("meter", "second"):
            machine, signer = town.machines[name], new_signer()
            message = rotation_bytes(machine.id, signer.public)
            body = {
                "public_key": signer.public,
                "signature_old": to_base64url(machine.signer.sign(message)),
                "signature_new": to_base64url(signer.sign(message)),
            }
            answer = await post(town, f"/v1/devices/{machine.id}/rotate", body, "nobody")
            assert answer.status_code == 200, answer.text
            back = machine.signer
            message = rotation_bytes(machine.id, back.public)
            body = {
                "public_key": back.public,
                "signature_old": to_base64url(signer.sign(message)),
                "signature_new": to_base64url(back.sign(message)),
            }
            answer = await post(town, f"/v1/devices/{machine.id}/rotate", body, "nobody", "two")
            assert problem(answer) == (409, "key-used")
