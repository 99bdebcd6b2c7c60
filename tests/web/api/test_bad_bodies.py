"""Bad input on every other endpoint, by table and by fuzzing: never a 500, nothing changed."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farthing.clock import NS, write_time
from farthing.testing.worlds import HandClock
from farthing.web.api.openapi import describe
from farthing.web.app import all_endpoints
from tests.effort import REPEATED, examples

from .test_bad_payments import problem
from .town import LOCAL, Town, open_town

ANY_TEXT = (
    "a\u0000b",
    "a\nb",
    "a\x1b[2Jb",
    "a\u202eb",
    "\u2066a",
    "a\u0085",
    "x" * 201,
    5,
    None,
    True,
    ["x"],
    {},
)


def texts(member: str) -> Iterator[tuple[str, Any, str]]:
    """Texts that are none."""
    for value in ANY_TEXT:
        code = "invalid-body"
        if isinstance(value, str) and len(value) < 200:
            code = "malformed-json" if "\0" in value else "control-characters"
        yield member, value, code


def units(member: str) -> Iterator[tuple[str, Any, str]]:
    """Units that are none."""
    for value in ("-1", "1.5", "01", "", "1e3", "\u0663", "0" * 30, 1, 1.5, [], {}):
        yield member, value, "invalid-body"
    yield member, "9223372036854775808", "malformed-amount"


async def check(town: Town, path: str, good: dict[str, Any], cases: Any, who: str) -> None:
    """Send the good body with one member changed, for every case."""
    before, wrong = await town.dump(), []
    for member, value, code in cases:
        answer = await town.ask("POST", path, good | {member: value}, who=who)
        if problem(answer) != (400, code):
            wrong.append((member, value, problem(answer), code))
    assert wrong == []
    assert await town.dump() == before


@pytest.mark.rule("owasp-api.3", on="hub")
async def test_bad_bodies_of_owners_and_their_things(tmp_path: Path):
    async with open_town(tmp_path) as town:
        own = {"owner": town.owners["buyer"]}
        purse = town.accounts["purse"]
        credit = {"account": purse, "units": "1", "asset": "USD"}
        await check(
            town,
            "/v1/owners",
            {"name": "x"},
            [
                *texts("name"),
                *(("name", blank, "invalid-body") for blank in ("", " ", " \u3000")),
                ("time_zone", "Europe/Nowhere", "unknown-time-zone"),
                ("time_zone", "../../etc/passwd", "unknown-time-zone"),
                ("time_zone", "/etc/passwd", "unknown-time-zone"),
                ("time_zone", "", "unknown-time-zone"),
                ("admin", True, "invalid-body"),
            ],
            LOCAL,
        )
        named = [*texts("name"), ("name", "  ", "invalid-body")]
        await check(town, "/v1/accounts", {"asset": "USD"} | own, named, LOCAL)
        await check(town, "/v1/keys", {"scopes": ["read"]} | own, texts("label"), LOCAL)
        await check(
            town,
            "/v1/keys",
            own,
            [("scopes", ["root"], "invalid-body"), ("scopes", [], "scopes-missing")],
            LOCAL,
        )
        await check(
            town,
            "/v1/credits",
            credit,
            [
                *units("units"),
                ("units", "0", "nothing-to-credit"),
            ],
            LOCAL,
        )
        for wrong, told in (
            ({"account": "acc_" + "0" * 26}, (404, "no-such-account")),
            ({"account": "purse"}, (404, "no-such-account")),
            ({"asset": "EUR"}, (409, "asset-mismatch")),
        ):
            assert problem(await town.ask("POST", "/v1/credits", credit | wrong, who=LOCAL)) == told
        for path in ("/v1/accounts", "/v1/mandates"):
            body = {"asset": "XYZ"} | own
            assert problem(await town.ask("POST", path, body, who=LOCAL)) == (404, "unknown-asset")
            body = {"asset": "USD", "owner": "own_" + "0" * 26}
            assert problem(await town.ask("POST", path, body, who=LOCAL)) == (404, "no-such-owner")
            answer = await town.ask("POST", path, {"asset": "USD"}, who=LOCAL)
            assert problem(answer) == (400, "owner-missing")


@pytest.mark.rule("asvs.2.2.1", on="hub")
async def test_bad_mandates_and_offers(tmp_path: Path):
    budget = {"name": "b", "per": "day", "limit": "5"}
    async with open_town(tmp_path) as town:
        await check(
            town,
            "/v1/mandates",
            {"asset": "USD"},
            [
                *texts("name"),
                *((m, v, c) for m, v, c in units("largest")),
                *((m, v, c) for m, v, c in units("ask_above")),
                ("budgets", [budget, budget], "budget-names"),
                ("budgets", [budget | {"name": ""}], "budget-names"),
                ("budgets", [budget | {"name": " "}], "invalid-body"),
                ("name", " ", "invalid-body"),
                ("budgets", [budget | {"per": "fortnight"}], "malformed-period"),
                ("budgets", [budget | {"per": "0s"}], "malformed-period"),
                ("budgets", [budget | {"per": "999999d"}], "malformed-period"),
                ("budgets", [budget | {"limit": "-1"}], "invalid-body"),
                ("budgets", [budget | {"name": f"{i}"} for i in range(17)], "invalid-body"),
                ("hours", ["8-18"], "malformed-hours"),
                ("hours", ["08:00-08:00"], "malformed-hours"),
                ("hours", ["25:00-26:00"], "malformed-hours"),
                ("expires", "soon", "malformed-time"),
                ("expires", "2001-01-01T00:00:00Z", "mandate-expired-already"),
                ("time_zone", "Mars/Olympus", "unknown-time-zone"),
                ("ask_seconds", 9, "invalid-body"),
                ("ask_seconds", 604_801, "invalid-body"),
                ("on_timeout", "pay", "invalid-body"),
                ("payees", ["x"] * 65, "invalid-body"),
            ],
            "buyer.owner",
        )
        offer = {"payee": town.accounts["shop"], "path": "/x", "asset": "USD", "amount": "1"}
        await check(
            town,
            "/v1/offers",
            offer,
            [
                *texts("description"),
                *units("amount"),
                ("amount", "0", "nothing-to-pay"),
                ("valid_from", "now", "malformed-time"),
                ("valid_until", "2001-01-01T00:00:00Z", "offer-never-valid"),
                ("free_for", ["x"] * 65, "invalid-body"),
            ],
            "seller.seller",
        )


@pytest.mark.rule("asvs.2.2.3", on="hub")
async def test_an_offer_whose_time_ends_before_it_begins_is_refused(tmp_path: Path):
    async with open_town(tmp_path) as town:
        offer = {"payee": town.accounts["shop"], "path": "/x", "asset": "USD", "amount": "1"}
        span = {"valid_from": "2098-01-01T00:00:00Z", "valid_until": "2097-01-01T00:00:00Z"}
        answer = await town.ask("POST", "/v1/offers", offer | span, who="seller.seller")
        assert problem(answer) == (400, "offer-never-valid")


async def test_a_mandate_that_runs_out_is_made_once_and_not_again_afterwards(tmp_path: Path):
    clock = HandClock()
    async with open_town(tmp_path, clock=clock) as town:
        body = {"asset": "USD", "expires": write_time(clock() // NS + 60)}
        key = {"idempotency-key": "k"}
        who = "buyer.owner"
        first = await town.ask("POST", "/v1/mandates", body, who=who, headers=key)
        assert first.status_code == 201
        clock.move(61)
        again = await town.ask("POST", "/v1/mandates", body, who=who, headers=key)
        assert (again.status_code, again.json()) == (201, first.json())
        late = await town.ask("POST", "/v1/mandates", body, who=who)
        assert problem(late) == (400, "mandate-expired-already")
        path = f"/v1/mandates/{first.json()['id']}"
        renewed = body | {"expires": write_time(clock() // NS + 60)}
        assert problem(await town.ask("PUT", path, body, who=who))[1] == "mandate-expired-already"
        assert (await town.ask("PUT", path, renewed, who=who)).status_code == 200


@pytest.mark.rule("asvs.2.3.1", on="hub")
async def test_bad_settlements(tmp_path: Path):
    async with open_town(tmp_path) as town:
        held = (await town.hold())["payment"]
        paid = (await town.pay())["id"]
        other = (await town.pay())["id"]
        refund = {"id": "ref_" + "0" * 26, "units": "100"}
        await town.made("POST", f"/v1/payments/{other}/refunds", refund, who="seller.seller")
        before = await town.dump()
        for path, body, status, code in [
            (f"{held}/capture", {"units": "1501"}, 400, "capture-too-large"),
            (f"{held}/capture", {"units": "0"}, 400, "capture-too-large"),
            (f"{held}/capture", {"units": "-1"}, 400, "invalid-body"),
            (f"{held}/capture", {"units": 1}, 400, "invalid-body"),
            (f"{held}/capture", {"tip": "1"}, 400, "invalid-body"),
            (f"{held}/refunds", {}, 409, "not-captured"),
            (f"{held}/delivery", {"reason": "cut"}, 409, "not-captured"),
            (f"{paid}/void", {}, 409, "not-held"),
            (f"{paid}/capture", {"units": "1"}, 409, "already-captured"),
            (f"{paid}/refunds", {"units": "1501"}, 400, "refund-too-large"),
            (f"{paid}/refunds", {"units": "0"}, 400, "refund-too-large"),
            (f"{paid}/refunds", {"id": "ref_short"}, 400, "malformed-id"),
            (f"{paid}/refunds", {"id": "pay_" + "0" * 26}, 400, "malformed-id"),
            (f"{paid}/refunds", refund, 409, "id-taken"),
            (f"{other}/refunds", refund | {"units": "7"}, 409, "id-taken"),
            (f"{paid}/delivery", {"reason": 5}, 400, "invalid-body"),
        ]:
            answer = await town.ask("POST", f"/v1/payments/{path}", body, who="seller.seller")
            assert problem(answer) == (status, code), (path, body)
        for verb in ("approve", "deny"):
            answer = await town.ask("POST", f"/v1/payments/{paid}/{verb}", who="buyer.owner")
            assert problem(answer) == (409, "not-awaiting")
        assert await town.dump() == before


async def test_odd_paths_queries_and_methods(tmp_path: Path):
    async with open_town(tmp_path) as town:
        for method, target, status, code in [
            ("GET", "/", 421, "no-public-url"),  # A page, at a name that is not the hub's own.
            ("GET", "/v1", 404, "no-such-path"),
            ("GET", "/v1/payments/", 404, "no-such-path"),
            ("GET", "/v1/payments//refunds", 404, "no-such-path"),
            ("GET", "/v1/payments/%00", 404, "no-such-path"),
            ("GET", "/v1/payments/%2e%2e%2f", 404, "no-such-path"),
            ("GET", "/v1/payments/%ff", 404, "no-such-path"),
            ("GET", "/v1/payments/" + "x" * 201, 404, "no-such-path"),
            ("GET", "/v1/payments/pay_x", 404, "no-such-payment"),
            ("DELETE", "/v1/payments", 405, "method-not-allowed"),
            ("TRACE", "/healthz", 405, "method-not-allowed"),
            ("PATCH", "/v1/mandates/man_x", 405, "method-not-allowed"),
            ("GET", "/v1/payments?limit=0", 400, "invalid-limit"),
            ("GET", "/v1/payments?limit=501", 400, "invalid-limit"),
            ("GET", "/v1/payments?limit=-1", 400, "invalid-limit"),
            ("GET", "/v1/payments?limit=%D9%A3", 400, "invalid-limit"),
            ("GET", "/v1/payments?limit=", 400, "invalid-limit"),
            ("GET", "/v1/payments?limit=1&limit=2", 400, "malformed-query"),
            ("GET", "/v1/payments?limit", 400, "malformed-query"),
            ("GET", "/v1/payments?state=%00", 400, "malformed-query"),
            ("GET", "/v1/payments?state=%ff", 400, "malformed-query"),
            ("GET", "/v1/payments?stat=held", 400, "unknown-parameter"),
            ("GET", "/v1/payments?state=paid", 400, "invalid-filter"),
            ("GET", "/v1/payments?role=thief", 400, "invalid-filter"),
            ("GET", "/v1/payments?cursor=!", 400, "invalid-cursor"),
            ("GET", "/v1/payments?cursor=AAAA", 400, "invalid-cursor"),
            ("GET", "/v1/payments?cursor=" + "A" * 200, 400, "invalid-cursor"),
            ("GET", "/v1/payments?" + "a=1&" * 21 + "b=1", 400, "malformed-query"),
            ("GET", "/v1/payments?state=" + "x" * 4096, 414, "query-too-long"),
            ("GET", "/v1/payments?idempotency_key=k", 400, "device-missing"),
            ("GET", "/v1/payments?challenge=none", 404, "no-such-payment"),
            ("GET", "/v1/payments/export?format=xml", 400, "invalid-format"),
            ("GET", "/v1/events?after=x&limit=1", 400, "invalid-event-id"),
            ("GET", "/v1/events?after=-1&limit=1", 400, "invalid-event-id"),
            ("GET", "/v1/events?limit=x", 400, "invalid-limit"),
        ]:
            answer = await town.ask(method, target, who="buyer.read")
            assert problem(answer) == (status, code), (method, target)
        answer = await town.ask("DELETE", "/v1/payments")
        assert answer.headers["allow"] == "GET, HEAD, POST"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
SCHEMAS = describe(all_endpoints(), "")["components"]["schemas"]


def near(name: str) -> st.SearchStrategy[Any]:
    """Bodies with the right members and, often, the right values."""
    schema = SCHEMAS[name]
    good = {member: like(shape) | JSON for member, shape in schema["properties"].items()}
    some = [member for member in good if member not in schema.get("required", ())]
    return st.fixed_dictionaries(
        {member: good[member] for member in good if member not in some},
        optional={member: good[member] for member in some},
    )


def like(shape: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a member's own shape."""
    if "$ref" in shape:
        return near(shape["$ref"].rpartition("/")[2])
    if "anyOf" in shape:
        return st.one_of([like(one) for one in shape["anyOf"]])
    if "enum" in shape:
        return st.sampled_from(shape["enum"])
    if "pattern" in shape:
        return st.sampled_from(["0", "1", "9223372036854775807", *shape["examples"]])
    if shape.get("type") == "array":
        return st.lists(like(shape["items"]), max_size=3)
    if shape.get("type") == "integer":
        return st.integers(shape.get("minimum", 0), shape.get("maximum", 2**40))
    if shape.get("type") == "string":
        ids = [prefix + "_" + "0" * 26 for prefix in ("acc", "dev", "man", "own", "ref")]
        others = ["USD", "UTC", "day", "08:00-18:00", "2026-11-22T21:00:00Z", "ed25519:AA"]
        return st.sampled_from([*ids, *others]) | st.text(max_size=20)
    return JSON


def requests() -> st.SearchStrategy[tuple[str, str, bytes]]:
    """Requests to any endpoint that takes a body."""
    taking = [e for e in all_endpoints() if e.method in ("POST", "PUT")]
    return st.sampled_from(taking).flatmap(
        lambda e: st.tuples(
            st.just(e.method),
            st.just(re.sub(r"\{\w+\}", "acc_" + "0" * 26, e.path)),
            (near(e.body.__name__) if e.body else JSON).map(lambda v: json.dumps(v).encode())
            | st.binary(max_size=60),
        )
    )


def test_no_body_whatever_makes_the_hub_fail(tmp_path_factory: Any):
    async def run(some: list[tuple[str, str, bytes]], folder: Path) -> None:
        async with open_town(folder) as town:
            for method, path, content in some:
                answer = await town.ask(method, path, content=content, who=LOCAL)
                assert answer.status_code < 500, (method, path, content, answer.text)
                if answer.status_code >= 400:
                    problem(answer)

    @settings(
        max_examples=examples(30), deadline=None, derandomize=REPEATED,
        suppress_health_check=list(HealthCheck), database=None,
    )  # fmt: skip
    @given(st.lists(requests(), min_size=20, max_size=40))
    def fuzz(some: list[tuple[str, str, bytes]]) -> None:
        asyncio.run(run(some, tmp_path_factory.mktemp("hub")))

    fuzz()
