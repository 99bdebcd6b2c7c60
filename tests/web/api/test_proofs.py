"""Proofs of who asks: keys that open nothing, signatures that count once, and for whom one acts."""

from pathlib import Path
from typing import Any

import pytest

from farthing.clock import NS

from .test_bad_payments import problem
from .town import Machine, Town, open_town


@pytest.mark.rule("owasp-api.5", on="hub")
async def test_nobody_can_act_for_another_owner(tmp_path: Path):
    async with open_town(tmp_path) as town:
        before = await town.dump()
        buyer, purse = town.owners["buyer"], town.accounts["purse"]
        meter = town.machines["meter"]
        tries: list[tuple[str, Any, str, tuple[int, str]]] = [
            ("/v1/accounts", {"asset": "USD", "owner": buyer}, "owner", (403, "not-your-owner")),
            ("/v1/mandates", {"asset": "USD", "owner": buyer}, "owner", (403, "not-your-owner")),
            ("/v1/keys", {"scopes": ["owner"], "owner": buyer}, "owner", (403, "not-your-owner")),
            ("/v1/keys", {"scopes": ["operator"]}, "owner", (403, "scope-missing")),
            ("/v1/keys", {"scopes": ["seller"]}, "owner", (403, "scope-missing")),
            ("/v1/keys", {"scopes": []}, "owner", (400, "scopes-missing")),
            (
                "/v1/devices/invitations",
                {"account": purse, "mandate": meter.mandate},
                "owner",
                (404, "no-such-account"),
            ),
            (
                "/v1/devices/invitations",
                {"account": town.accounts["shop"], "mandate": meter.mandate},
                "owner",
                (404, "no-such-mandate"),
            ),
            (
                "/v1/offers",
                {"payee": purse, "path": "/x", "asset": "USD", "amount": "1"},
                "seller",
                (404, "no-such-account"),
            ),
            ("/v1/credits", {"account": purse, "units": "1", "asset": "USD"}, "owner",
             (403, "scope-missing")),
        ]  # fmt: skip
        for path, body, scope, told in tries:
            answer = await town.ask("POST", path, body, who=f"seller.{scope}")
            assert problem(answer) == told, (path, body)
        assert await town.dump() == before


@pytest.mark.rule("owasp-api.2", on="hub")
async def test_keys_that_are_unknown_revoked_or_odd_open_nothing(tmp_path: Path):
    async with open_town(tmp_path) as town:
        made = await town.made("GET", "/v1/keys", who="buyer.owner")
        revoked = next(k["id"] for k in made["items"] if k["scopes"] == ["read"])
        await town.made("POST", f"/v1/keys/{revoked}/revoke", who="buyer.owner")
        answer = await town.ask("GET", "/v1/accounts", who="buyer.read")
        assert problem(answer) == (401, "bad-key")
        assert answer.headers["www-authenticate"] == 'Bearer realm="farthing"'
        good = town.keys["seller.read"]
        for value, code in (
            ("Bearer", "bad-key"),
            ("Bearer fk_", "bad-key"),
            (f"Bearer {good[:-1]}", "bad-key"),
            (f"Bearer {good}x", "bad-key"),
            (f"Bearer {good}, Bearer {good}", "bad-key"),
            (f"Basic {good}", "key-missing"),
            (good, "key-missing"),
        ):
            answer = await town.ask("GET", "/v1/accounts", headers={"authorization": value})
            assert problem(answer) == (401, code), value
        answer = await town.ask("GET", "/v1/accounts", headers={"authorization": f"bearer {good}"})
        assert answer.status_code == 200


async def test_a_device_asks_about_its_own_payments_only(tmp_path: Path):
    async with open_town(tmp_path) as town:
        await town.enrol("second", "purse", town.machines["meter"].mandate)
        mine, other = await town.pay(), await town.pay(machine="second")
        shown = await town.made("GET", f"/v1/payments/{mine['id']}", who="meter")
        assert shown == mine
        answer = await town.ask("GET", f"/v1/payments/{other['id']}", who="meter")
        assert problem(answer) == (404, "no-such-payment")
        listed = await town.made("GET", "/v1/payments", who="meter")
        assert [p["id"] for p in listed["items"]] == [mine["id"]]
        device = town.machines["second"].id
        for query in (f"device={device}", f"payer={mine['payer']}&role=payee"):
            listed = await town.made("GET", f"/v1/payments?{query}", who="meter")
            assert [p["id"] for p in listed["items"]] == [mine["id"]]


async def signed(town: Town, path: str, machine: Machine, **more: Any) -> Any:
    """Send one signed request."""
    request = town.http.build_request("GET", path)
    town.sign(request, machine, **more)
    return await town.http.send(request)


@pytest.mark.rule("owasp-api.2", on="hub")
async def test_a_signed_request_counts_once_and_for_a_minute(tmp_path: Path):
    async with open_town(tmp_path) as town:
        meter, now = town.machines["meter"], town.clock() // NS
        nonce = town.nonce()
        first = await signed(town, "/v1/payments", meter, nonce=nonce)
        again = await signed(town, "/v1/payments", meter, nonce=nonce)
        assert (first.status_code, problem(again)) == (200, (401, "signature-replayed"))
        for at in (now - 70, now + 70):
            late = await signed(town, "/v1/payments", meter, at=at)
            assert problem(late) == (401, "signature-expired")


async def test_a_signature_over_another_request_or_by_another_key_is_refused(tmp_path: Path):
    async with open_town(tmp_path) as town:
        request = town.http.build_request("GET", "/v1/payments?state=held")
        town.sign(request, town.machines["meter"])
        for path in ("/v1/payments", "/v1/payments?state=captured"):
            moved = town.http.build_request("GET", path, headers=request.headers)
            assert problem(await town.http.send(moved)) == (401, "signature-invalid")
        head = town.http.build_request("HEAD", "/v1/payments?state=held", headers=request.headers)
        assert (await town.http.send(head)).status_code == 401
        stranger = Machine(
            town.machines["meter"].id,
            "",
            "",
            (await town.enrol("third", "purse", town.machines["meter"].mandate)).signer,
        )
        answer = await signed(town, "/v1/payments", stranger)
        assert problem(answer) == (401, "signature-invalid")
        unknown = Machine("dev_" + "0" * 26, "", "", stranger.signer)
        answer = await signed(town, "/v1/payments", unknown)
        assert problem(answer) == (401, "signature-invalid")


async def test_a_revoked_device_may_not_even_ask(tmp_path: Path):
    async with open_town(tmp_path) as town:
        meter = town.machines["meter"]
        await town.made("POST", f"/v1/devices/{meter.id}/revoke", who="buyer.owner")
        answer = await signed(town, "/v1/payments", meter)
        assert problem(answer) == (401, "device-revoked")


async def test_what_was_signed_before_the_hub_started_may_have_been_used_and_is_refused(
    tmp_path: Path,
):
    async with open_town(tmp_path) as town:
        meter, now_s = town.machines["meter"], town.clock() // NS
        for at, status in ((now_s, 200), (now_s - 5, 401)):
            request = town.http.build_request("GET", "/v1/payments")
            town.sign(request, meter, at=at)
            answer = await town.http.send(request)
            assert answer.status_code == status
        assert problem(answer) == (401, "signature-expired")
        assert "just started" in answer.json()["detail"]
