"""Who may ask what: every endpoint of the table against every kind of asker."""

import re
from pathlib import Path
from typing import Any

import pytest

from farthing.clock import NS
from farthing.core.owners import Scope
from farthing.web.api.endpoint import Endpoint
from farthing.web.app import all_endpoints

from .test_bad_payments import problem
from .town import LOCAL, Machine, Town, open_town

ASKERS = ["nobody", "buyer.read", "buyer.seller", "buyer.owner", "operator", "meter", LOCAL]
SCOPES = {"read": Scope.READ, "seller": Scope.SELLER, "owner": Scope.OWNER}
NO_ID = {"account": "acc", "key": "key", "mandate": "man", "device": "dev", "offer": "off"}


def expected(endpoint: Endpoint, asker: str) -> int | None:
    """Say with what status an asker is turned away, None if it is let in."""
    if endpoint.scopes is None or asker in ("operator", LOCAL):
        return None
    if asker == "meter":
        return None if endpoint.devices else 401
    if asker == "nobody":
        return 401
    return None if SCOPES[asker.partition(".")[2]] in endpoint.scopes else 403


def a_path(endpoint: Endpoint) -> str:
    """Fill a path in with ids of nothing."""
    return re.sub(r"\{(\w+)\}", lambda m: f"{NO_ID.get(m[1], 'pay')}_{'0' * 26}", endpoint.path)


async def test_every_endpoint_lets_in_whom_its_row_of_the_table_names(tmp_path: Path):
    async with open_town(tmp_path) as town:
        before, wrong = await town.dump(), []
        for endpoint in all_endpoints():
            if endpoint.streams:
                continue
            for asker in ASKERS:
                status = (await town.ask(endpoint.method, a_path(endpoint), who=asker)).status_code
                away = expected(endpoint, asker)
                if (status in (401, 403)) != (away is not None) or away not in (None, status):
                    wrong.append((endpoint.name, asker, status, away))
                if status >= 500:
                    wrong.append((endpoint.name, asker, status, "a bug"))
        assert wrong == []
        assert await town.dump() == before


@pytest.mark.parametrize("name", ["events", "export_payments"])
async def test_streams_are_guarded_as_everything_else(tmp_path: Path, name: str):
    [endpoint] = [e for e in all_endpoints() if e.name == name]
    async with open_town(tmp_path) as town:
        for asker in ASKERS:
            answer = await town.ask("HEAD", endpoint.path, who=asker)
            assert answer.status_code == (expected(endpoint, asker) or 200), asker


async def owned(town: Town) -> dict[str, str]:
    """Make one of everything for the buyer, and name it."""
    key = await town.made(
        "POST", "/v1/keys", {"scopes": ["read"], "owner": town.owners["buyer"]}, who=LOCAL
    )
    offer = await town.made(
        "POST",
        "/v1/offers",
        {"payee": town.accounts["purse"], "path": "/x", "asset": "USD", "amount": "1"},
        who="buyer.seller",
    )
    meter = town.machines["meter"]
    asked = await town.mandate(ask_above="10")
    asking = await town.enrol("asking", "purse", asked)
    awaiting = await town.ask("POST", "/v1/payments", town.payment(machine="asking"))
    assert awaiting.status_code == 202, awaiting.text
    return {
        "account": meter.account,
        "mandate": meter.mandate,
        "device": asking.id,
        "key": key["id"],
        "offer": offer["id"],
        "payment": awaiting.json()["id"],
    }


def good_body(town: Town, endpoint: Endpoint, things: dict[str, str]) -> Any:
    """Write a body that would be right if the thing were the asker's own."""
    if endpoint.name == "change_mandate":
        return {"asset": "USD"}
    if endpoint.name == "assign_mandate":
        return {"mandate": things["mandate"]}
    if endpoint.name == "change_offer":
        body = {"path": "/x", "asset": "USD", "amount": "1"}
        return body | {"payee": town.accounts["shop"]}
    return {} if endpoint.body is not None else None


async def test_another_owners_things_are_not_there(tmp_path: Path):
    """What exists and what does not are answered alike, byte by byte."""
    async with open_town(tmp_path) as town:
        things = await owned(town)
        town.accounts["bystander"] = (
            await town.made("POST", "/v1/owners", {"name": "bystander"}, who=LOCAL)
        )["id"]
        for scope in ("owner", "seller", "read"):
            wanted = {"scopes": [scope], "owner": town.accounts["bystander"]}
            made = await town.made("POST", "/v1/keys", wanted, who=LOCAL)
            town.keys[f"bystander.{scope}"] = made["secret"]
        before, wrong, asked = await town.dump(), [], 0
        for endpoint in all_endpoints():
            if "{" not in endpoint.path or endpoint.scopes is None:
                continue
            body = good_body(town, endpoint, things)
            theirs = re.sub(r"\{(\w+)\}", lambda m: things[m[1]], endpoint.path)
            for scope in endpoint.scopes:
                who = f"bystander.{scope.value}"
                there = await town.ask(endpoint.method, theirs, body, who=who)
                nowhere = await town.ask(endpoint.method, a_path(endpoint), body, who=who)
                asked += 1
                if there.status_code != 404 or there.content != nowhere.content:
                    wrong.append((endpoint.name, who, there.text, nowhere.text))
        assert wrong == []
        assert asked > 20
        assert await town.dump() == before


async def test_lists_show_an_owner_its_own_things_only(tmp_path: Path):
    async with open_town(tmp_path) as town:
        things = await owned(town)
        await town.pay()
        for endpoint in all_endpoints():
            if endpoint.method != "GET" or "cursor" not in endpoint.query:
                continue
            who = "seller.owner" if Scope.OWNER in (endpoint.scopes or ()) else "operator"
            shown = await town.made("GET", endpoint.path, who=who)
            own = {item.get("owner", town.owners["seller"]) for item in shown["items"]}
            if who == "operator":
                assert len(shown["items"]) == 2
            elif endpoint.name == "list_payments":
                assert [p["payee"] for p in shown["items"]] == [town.accounts["shop"]] * 2
            else:
                assert own <= {town.owners["seller"]}, endpoint.name
            assert not set(things.values()) - {things["payment"]} & {
                item["id"] for item in shown["items"] if who != "operator"
            }


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
        assert problem(answer) == (401, "unknown-device")


async def test_a_revoked_device_may_not_even_ask(tmp_path: Path):
    async with open_town(tmp_path) as town:
        meter = town.machines["meter"]
        await town.made("POST", f"/v1/devices/{meter.id}/revoke", who="buyer.owner")
        answer = await signed(town, "/v1/payments", meter)
        assert problem(answer) == (401, "device-revoked")
