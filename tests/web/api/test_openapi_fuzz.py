"""The hub is asked what its own OpenAPI document allows, and what it does not, by schemathesis.

Whatever is sent, with whatever key: no 5xx, no status, type or body that the document does not
tell of, every error a problem, and what the document forbids is refused.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.config import GenerationConfig, SchemathesisConfig
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi import checks

from farthing.explained import hints
from farthing.web.api.openapi import describe
from farthing.web.app import all_endpoints
from tests.effort import REPEATED, examples

from .access_table import ROWS, Row
from .parties import ME, NEEDS, THEM, Parties, open_parties
from .town import LOCAL, NOBODY, URL, body_of

SEED = 20_261_125
ROLES = ("operator", "owner", "operator", "seller", "device", "operator", NOBODY)
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]


def document() -> dict[str, Any]:
    """Give the document, without who may ask: each role brings its own proof."""
    told = json.loads(json.dumps(describe(all_endpoints(), URL)))
    for methods in told["paths"].values():
        for operation in methods.values():
            operation["security"] = []
    return told


DOCUMENT = document()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT, config=SchemathesisConfig(seed=SEED))
EVENTS = "/v1/events"
IN_TURN = sorted(ROWS, key=lambda row: row.path.endswith("/approve"))
"""An ask that was approved stands for equal ones after it: what is denied comes before."""

MANY = ("/v1/payments/batch", "/v1/vouchers", "/v1/ticks", "/v1/accounts/{account}/ticks")
"""Each item is read, and answered, by itself: one that is malformed does not refuse the others."""


def operations() -> list[Any]:
    """List what can be asked."""
    return [found.ok() for found in SCHEMA.get_all_operations()]


OPERATIONS = operations()
IDS = [operation.label for operation in OPERATIONS]


def problem_fault(answer: httpx.Response) -> str:
    """Say what a refusal lacks of a problem of ours; nothing if it is one."""
    try:
        told = answer.json()
    except ValueError:
        return "it is no JSON"
    fields = answer.headers
    wrong = {
        "type": fields["content-type"] != "application/problem+json",
        "status": told.get("status") != answer.status_code,
        "code": told.get("code") not in hints(),
        "title": not told.get("title"),
        "hint": told.get("hint") != hints().get(told.get("code")),
        "cache-control": fields.get("cache-control") != "no-store",
        "nosniff": fields.get("x-content-type-options") != "nosniff",
        "www-authenticate": answer.status_code == 401 and "www-authenticate" not in fields,
        "allow": answer.status_code == 405 and "allow" not in fields,
        "retry-after": answer.status_code in (429, 503) and "retry-after" not in fields,
    }
    return ", ".join(name for name, bad in wrong.items() if bad)


async def ask(parties: Parties, case: Any, role: str) -> httpx.Response:
    """Send a case as it would go over the wire."""
    town = parties.town
    query = dict(case.query or {})
    if case.operation.path == EVENTS and not query.get("limit"):
        case.query = query | {"limit": "5"}  # Or it is a stream without an end.
    wanted = requests.Request(**case.as_transport_kwargs(base_url=URL)).prepare()
    dropped = ("authorization", "signature", "signature-input", "content-length")
    fields = [(k, v) for k, v in wanted.headers.items() if k.lower() not in dropped]
    if role in town.keys:
        fields.append(("authorization", f"Bearer {town.keys[role]}"))
    body = wanted.body.encode() if isinstance(wanted.body, str) else wanted.body
    client = town.socket if role == LOCAL else town.http
    try:
        request = client.build_request(wanted.method, wanted.url, headers=fields, content=body)
    except (UnicodeEncodeError, httpx.InvalidURL, ValueError):
        return httpx.Response(0)  # No client can write that on the wire.
    if role == "device":
        town.sign(request, town.machines[ME])
    return await client.send(request)


def as_told(operation: Any, answer: httpx.Response) -> None:
    """Hold a good answer to what the document tells of its very status, headers and body."""
    responses = DOCUMENT["paths"][operation.path][operation.method.lower()]["responses"]
    told = responses.get(str(answer.status_code))
    assert told is not None, f"{operation.label} does not tell of {answer.status_code}"
    media = {kind.partition(";")[0] for kind in told["content"]}
    assert answer.headers["content-type"].partition(";")[0] in media
    assert all(name.lower() in answer.headers for name in told.get("headers", {}))
    operation.validate_response(answer)


def fault_of(case: Any, answer: httpx.Response) -> str:
    """Say what is wrong with an answer; nothing if it is as documented."""
    wrong = problem_fault(answer) if answer.status_code >= 400 else ""
    try:
        strict = CHECKS[:-1] if case.operation.path in MANY else CHECKS
        case.validate_response(answer, checks=strict)
    except (Failure, FailureGroup) as fault:
        told = fault.exceptions if isinstance(fault, FailureGroup) else [fault]
        wrong += "; ".join(f"{type(one).__name__}: {one}"[:400] for one in told)
    return wrong


def cases(operation: Any, ids: dict[str, str], count: int) -> list[Any]:
    """Make cases of an operation: everything of the document once, and some at random."""
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    config = GenerationConfig(modes=modes, deterministic=REPEATED)
    found = list(
        SCHEMA.iter_coverage_cases(operation, generation_modes=modes, generation_config=config)
    )
    if REPEATED:  # The long run tries all of them.
        found = found[:: 1 + len(found) // 40]
    known = {name: ident for name, ident in ids.items() if f"{{{name}}}" in operation.path}
    paths = (None, known) if known else (None,)
    kinds = [operation.as_strategy(m, path_parameters=path) for m in modes for path in paths]

    @settings(
        max_examples=count, deadline=None, database=None, derandomize=REPEATED,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.one_of(kinds))
    def collect(case: Any) -> None:
        found.append(case)

    collect()
    return found


async def things(parties: Parties, operation: Any) -> dict[str, str]:
    """Give the id of a thing that can be asked about, for each parameter of a path."""
    kinds = ("account", "key", "mandate", "device", "offer")
    names = [name for name in kinds if f"{{{name}}}" in operation.path]
    ids = {name: await getattr(parties, name)(ME) for name in names}
    if "{payment}" in operation.path:
        need = NEEDS.get(operation.path.rpartition("/")[2], "paid")
        ids["payment"] = await parties.payment(need, "payer")
    if "{session}" in operation.path:
        ids["session"] = (await parties.session("payer"))["id"]
    return ids


@pytest.fixture(scope="module")
def street(tmp_path_factory: Any) -> Iterator[tuple[asyncio.AbstractEventLoop, Parties]]:
    """One hub for all operations: a real one, its books on disk."""
    loop = asyncio.new_event_loop()
    opened = open_parties(tmp_path_factory.mktemp("hub"))
    yield loop, loop.run_until_complete(opened.__aenter__())
    loop.run_until_complete(opened.__aexit__(None, None, None))
    loop.close()


@pytest.mark.parametrize("row", IN_TURN, ids=[row.request for row in IN_TURN])
def test_a_right_request_is_answered_as_the_document_says(row: Row, street: Any):
    loop, parties = street
    operation = next(one for one in OPERATIONS if one.label == row.request)
    relation = next((one for one in ("payee", "payer", "owner") if one in row.whose), "")

    async def run() -> httpx.Response:
        request = await parties.request(row, relation)
        return await parties.town.ask(*request, who="operator")

    answer = loop.run_until_complete(run())
    assert answer.is_success, answer.text
    as_told(operation, answer)


def test_an_ask_of_the_owner_is_answered_as_the_document_says(street: Any):
    loop, parties = street
    town = parties.town
    operation = next(one for one in OPERATIONS if one.label == "POST /v1/payments")

    async def run() -> httpx.Response:
        signed = town.order(5, machine=f"asking {ME}", payee=town.accounts[THEM])
        return await town.ask("POST", "/v1/payments", body_of(signed))

    answer = loop.run_until_complete(run())
    assert answer.status_code == 202
    as_told(operation, answer)


@pytest.mark.parametrize("operation", OPERATIONS, ids=IDS)
def test_every_answer_is_as_the_document_says(operation: Any, street: Any):
    loop, parties = street
    seen: Counter[int] = Counter()
    ids = loop.run_until_complete(things(parties, operation))
    found = cases(operation, ids, examples(4))
    wrong: list[Any] = []

    async def run() -> None:
        for number, case in enumerate(found):
            role = ROLES[number % len(ROLES)]
            answer = await ask(parties, case, role)
            seen[answer.status_code] += 1
            fault = fault_of(case, answer) if answer.status_code else ""
            if fault:
                asked = (case.method, case.formatted_path, str(case.query), str(case.body)[:300])
                wrong.append((role, *asked, answer.status_code, answer.text[:300], fault))

    loop.run_until_complete(run())
    faults = Counter(one[-1] for one in wrong)
    assert wrong == [], f"seed {SEED}: {faults}; the first: {wrong[0]}"
    # A few cases are all that a path without query and body has; none may be lost on the way.
    assert len(found) >= 5
    assert sum(seen.values()) - seen[0] > len(found) // 2, seen


def test_what_is_no_problem_is_noticed():
    good = {"status": 404, "code": "no-such-path", "title": "x", "hint": hints()["no-such-path"]}
    fields = {"content-type": "application/problem+json", "cache-control": "no-store",
              "x-content-type-options": "nosniff"}  # fmt: skip
    assert problem_fault(httpx.Response(404, headers=fields, json=good)) == ""
    assert problem_fault(httpx.Response(404, headers=fields, text="x")) == "it is no JSON"
    for change in ({"status": 400}, {"code": "odd"}, {"title": ""}):
        assert problem_fault(httpx.Response(404, headers=fields, json=good | change))
    for status in (401, 405, 429, 503):
        told = good | {"status": status}
        assert problem_fault(httpx.Response(status, headers=fields, json=told))
