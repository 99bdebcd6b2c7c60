"""Bad input on the endpoints that take orders: the right problem, never a 500, nothing changed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from farthing import ids
from farthing.clock import NS
from farthing.core.orders import Order, SignedOrder
from farthing.keys import new_signer

from .town import LOCAL, Machine, Town, body_of, open_town


def spelled(body: dict[str, Any], member: str, value: Any) -> bytes:
    """Write a body with one member of its order spelled otherwise."""
    return json.dumps(body | {"order": body["order"] | {member: value}}).encode()


def members(town: Town) -> Iterator[tuple[str, Any, int, str]]:
    """Orders that no device could have meant; their signatures do not matter."""
    for amount in ("-1", "+1", "1.5", "1e3", "01", "", " 1", "1 ", "0x10", "1_000"):
        yield "amount", amount, 400, "malformed-amount"
    for amount in ("\u0663", "\uff11", "\u0661\u0662"):  # Digits of other scripts.
        yield "amount", amount, 400, "malformed-order"
    yield "amount", str(2**63), 400, "malformed-amount"
    yield "amount", "9" * 60, 400, "malformed-amount"
    for amount in (1500, 1.5, None, True, ["1"], {"units": 1}):
        yield "amount", amount, 400, "invalid-body"
    for text in ("2026-11-22", "tomorrow", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00+01:00"):
        yield "expires", text, 400, "malformed-time"
    for nonce in ("", "x" * 26, "0" * 25, "0" * 27, "8" + "0" * 25, "O" * 26):
        yield "nonce", nonce, 400, "malformed-id"
    for payee in ("shop", "dev_" + "0" * 26, "acc_", "acc_" + "I" * 26):
        yield "payee", payee, 400, "malformed-id"
    yield "device", "acc_" + "0" * 26, 400, "malformed-id"
    yield "resource", "GET /caf\u00e9", 400, "malformed-order"
    yield "resource", "GET /\u0000", 400, "malformed-json"
    yield "resource", "GET /\n", 400, "control-characters"
    yield "resource", "x" * 2049, 400, "invalid-body"
    yield "hub", "x" * 201, 400, "invalid-body"


def bodies(town: Town) -> Iterator[tuple[str, bytes, int, str]]:
    """Bodies that are no orders at all."""
    good = json.dumps(town.payment()).encode()
    yield "empty", b"", 400, "malformed-json"
    yield "truncated", good[: len(good) // 2], 400, "malformed-json"
    yield "with more behind", good + b"{}", 400, "malformed-json"
    yield "a list", b"[]", 400, "invalid-body"
    yield "a text", b'"pay"', 400, "invalid-body"
    yield "null", b"null", 400, "invalid-body"
    yield "no members", b"{}", 400, "invalid-body"
    yield "an unknown member", good[:-1] + b', "tip": "1"}', 400, "invalid-body"
    yield "a member twice", good[:-1] + b', "signature": "AA"}', 400, "malformed-json"
    yield "not UTF-8", good.replace(b"USD", b"US\xff"), 400, "malformed-json"
    yield "a lone surrogate", good.replace(b"USD", rb"US\ud800"), 400, "malformed-json"
    yield "a byte order mark", b"\xef\xbb\xbf" + good, 400, "malformed-json"
    yield "NaN", b'{"order": NaN}', 400, "malformed-json"
    yield "infinity", b'{"order": 1e999}', 400, "invalid-body"
    yield "a long number", b'{"order": ' + b"9" * 5000 + b"}", 400, "malformed-json"
    yield "deep", b"[" * 200_000, 400, "malformed-json"
    yield "deep and whole", b"[" * 100 + b"]" * 100, 400, "malformed-json"
    yield "UTF-16", good.decode().encode("utf-16"), 400, "malformed-json"
    yield "oversized", b" " * 262_145, 413, "body-too-large"
    unsigned = json.loads(good)
    for signature in ("A", "A===", "+/+/", "ä", "AAA=", "AB"):
        body = json.dumps(unsigned | {"signature": signature}).encode()
        yield f"signature {signature}", body, 400, "malformed-base64"
    for signature in ("", "AA", "A" * 85 + "Q"):
        body = json.dumps(unsigned | {"signature": signature}).encode()
        yield f"signature {signature[:5]}", body, 401, "bad-signature"


def changed_after_signing(town: Town) -> Iterator[tuple[str, Any]]:
    """What a thief would like to change in a signed order."""
    yield "amount", "1"
    yield "amount", "1501"
    yield "payee", town.accounts["purse"]
    yield "payee", town.accounts["other"]
    yield "resource", "GET /other"
    yield "challenge", "another"
    yield "nonce", town.nonce()
    yield "expires", "2099-01-01T00:00:00Z"
    yield "hub", "anotherhub"
    yield "device", town.machines["foreign"].id


def refused(town: Town) -> Iterator[tuple[str, dict[str, Any], int, str]]:
    """Orders that are well signed and cannot be taken; none of them is recorded."""
    now = town.clock() // NS
    sign = town.payment
    hour_ago = ids.encode(ids.fresh((now - 3700) * 1000))
    soon = ids.encode(ids.fresh((now + 120) * 1000))
    yield "expired", sign(expires=now - 1), 422, "order-expired"
    yield "lives too long", sign(expires=now + 3700), 422, "order-time"
    yield "an old nonce", sign(nonce=hour_ago), 422, "order-time"
    yield "a nonce of tomorrow", sign(nonce=soon), 422, "order-time"
    yield "another hub", sign(hub="anotherhub"), 422, "wrong-hub"
    yield "another asset", sign(asset="EUR"), 422, "asset-mismatch"
    yield "an asset nobody has", sign(asset="XYZ"), 422, "asset-mismatch"
    yield "a payee in another asset", sign(payee="euros"), 422, "asset-mismatch"
    yield "no such payee", sign(payee="acc_" + "0" * 26), 422, "unknown-payee"
    yield "to itself", sign(payee="purse"), 422, "same-account"
    yield "nothing", sign(0), 422, "nothing-to-pay"
    yield "a revoked device", sign(machine="lost"), 422, "device-revoked"
    yield "an unknown device", sign(device="dev_" + "0" * 26), 401, "bad-signature"


async def furnish(town: Town) -> None:
    """Add what the cases need: accounts, a foreign device and a revoked one."""
    for name, asset, owner in (("other", "USD", "seller"), ("euros", "EUR", "seller")):
        body = {"asset": asset, "owner": town.owners[owner]}
        town.accounts[name] = (await town.made("POST", "/v1/accounts", body, who=LOCAL))["id"]
    await town.enrol("foreign", "shop", await town.mandate("seller"))
    lost = await town.enrol("lost", "purse", town.machines["meter"].mandate)
    await town.made("POST", f"/v1/devices/{lost.id}/revoke", who="buyer.owner")


def problem(answer: Any) -> tuple[int, str]:
    """Read a problem, which must be one."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    told = answer.json()
    assert told["status"] == answer.status_code
    assert told["type"].startswith("https://") and told["title"]
    return answer.status_code, told["code"]


async def check(
    town: Town, cases: Iterator[tuple[str, bytes, int, str]], path: str, who: str
) -> None:
    """Send every case; each must get its own problem, and change nothing at all."""
    before, wrong = await town.dump(), []
    for name, content, status, code in cases:
        answer = await town.ask("POST", path, content=content, who=who)
        if problem(answer) != (status, code):
            wrong.append((name, problem(answer), (status, code)))
        if await town.dump() != before:
            wrong.append((name, "changed something"))
            before = await town.dump()
    assert wrong == []


def all_cases(town: Town) -> Iterator[tuple[str, bytes, int, str]]:
    """Everything above, as bytes to send."""
    yield from bodies(town)
    good = town.payment()
    for member, value, status, code in members(town):
        yield f"{member}={value!r}"[:60], spelled(good, member, value), status, code
    for member, value in changed_after_signing(town):
        body = town.payment(challenge="first", resource="GET /first")
        yield f"{member} changed", spelled(body, member, value), 401, "bad-signature"
    for name, body, status, code in refused(town):
        yield name, json.dumps(body).encode(), status, code


async def test_bad_orders_are_refused_where_devices_pay(tmp_path: Path):
    async with open_town(tmp_path) as town:
        await furnish(town)
        await check(town, all_cases(town), "/v1/payments", "nobody")


def at_a_seller(town: Town) -> Iterator[tuple[str, bytes, int, str]]:
    """The same cases; who is paid is looked at first, for the seller acts for it."""
    not_ours = {"no such payee", "to itself", "payee changed"}
    for name, content, status, code in all_cases(town):
        if name in not_ours and json.loads(content)["order"]["payee"] != town.accounts["other"]:
            yield name, content, 403, "not-your-account"
        else:
            yield name, content, status, code
    good = town.payment()
    for seconds in (0, -1, 86_401, 1.5, "60", None, 2**70):
        body = json.dumps(good | {"hold_seconds": seconds}).encode()
        code = "malformed-json" if seconds == 2**70 else "invalid-body"
        yield f"hold_seconds={seconds}", body, 400, code


async def test_bad_orders_are_refused_where_sellers_authorise(tmp_path: Path):
    async with open_town(tmp_path) as town:
        await furnish(town)
        await check(town, at_a_seller(town), "/v1/payments/authorise", "seller.seller")


@pytest.mark.rule("asvs.9.1.1", on="hub")
async def test_an_order_is_signed_by_its_own_device(tmp_path: Path):
    async with open_town(tmp_path) as town:
        await furnish(town)
        thief = Machine(town.machines["meter"].id, "", "", new_signer())
        town.machines["thief"] = thief
        before = await town.dump()
        for machine in ("thief", "foreign"):
            signer = town.machines[machine].signer
            order = town.order().order
            signature = signer.sign(order.signed_bytes())
            answer = await town.ask("POST", "/v1/payments", body_of_parts(order, signature))
            assert problem(answer) == (401, "bad-signature")
        assert await town.dump() == before


def body_of_parts(order: Order, signature: bytes) -> dict[str, Any]:
    return body_of(SignedOrder(order, signature))


async def test_the_same_order_again_gets_the_first_answer(tmp_path: Path):
    async with open_town(tmp_path) as town:
        body = town.payment()
        first = await town.made("POST", "/v1/payments", body)
        before = await town.dump()
        again = await town.made("POST", "/v1/payments", body)
        held = body | {"hold_seconds": 60}
        as_seller = await town.made("POST", "/v1/payments/authorise", held, who="seller.seller")
        assert again == first
        assert (as_seller["payment"], as_seller["fresh"]) == (first["id"], False)
        assert as_seller["receipt"] == first["receipt"]
        assert await town.dump() == before


@pytest.mark.rule("farthing.nonce-decides", on="hub")
async def test_a_nonce_used_for_another_order_is_a_conflict(tmp_path: Path):
    async with open_town(tmp_path) as town:
        nonce = town.nonce()
        await town.pay(nonce=nonce)
        before = await town.dump()
        for changed in ({"amount": 1}, {"resource": "GET /other"}, {"payee": "purse"}):
            body = town.payment(nonce=nonce, **changed)
            answer = await town.ask("POST", "/v1/payments", body)
            assert problem(answer) == (409, "nonce-used")
        assert await town.dump() == before


async def test_a_refusal_by_a_rule_is_recorded_and_moves_nothing(tmp_path: Path):
    async with open_town(tmp_path) as town:
        body = town.payment(100_001)
        answer = await town.ask("POST", "/v1/payments", body)
        assert problem(answer) == (422, "mandate-largest")
        payment = answer.json()["payment"]
        shown = await town.made("GET", f"/v1/payments/{payment}", who="meter")
        assert (shown["state"], shown["reason"]) == ("refused", "mandate-largest")
        assert shown["receipt"]["statement"]["state"] == "refused"
        again = await town.ask("POST", "/v1/payments", body)
        assert again.json() == answer.json()
        assert await town.available("purse") == 1_000_000
        assert await town.available("shop") == 0


@pytest.mark.rule("farthing.order-of-checks", on="hub")
async def test_a_revoked_device_still_gets_its_earlier_answer(tmp_path: Path):
    async with open_town(tmp_path) as town:
        body = town.payment()
        first = await town.made("POST", "/v1/payments", body)
        device = town.machines["meter"].id
        await town.made("POST", f"/v1/devices/{device}/revoke", who="buyer.owner")
        assert await town.made("POST", "/v1/payments", body) == first
        answer = await town.ask("POST", "/v1/payments", town.payment())
        assert problem(answer) == (422, "device-revoked")


async def test_compressed_bodies_are_not_taken(tmp_path: Path):
    async with open_town(tmp_path) as town:
        body = json.dumps(town.payment()).encode()
        for coding in ("gzip", "br", "deflate, gzip", "x"):
            fields = {"content-encoding": coding}
            answer = await town.ask("POST", "/v1/payments", content=body, headers=fields)
            assert problem(answer) == (415, "content-encoding")
        fields = {"content-encoding": "identity"}
        answer = await town.ask("POST", "/v1/payments", content=body, headers=fields)
        assert answer.status_code == 200


async def test_a_frozen_purse_pays_nothing_and_a_frozen_shop_gets_nothing(tmp_path: Path):
    async with open_town(tmp_path) as town:
        for name, code in (("shop", "payee-frozen"), ("purse", "account-frozen")):
            account = town.accounts[name]
            await town.made("POST", f"/v1/accounts/{account}/freeze", who=LOCAL)
            answer = await town.ask("POST", "/v1/payments", town.payment())
            assert problem(answer) == (422, code)
        assert await town.available("shop") == 0
