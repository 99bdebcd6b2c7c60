"""What is none of the asker's is not there: same bytes and same work, whether it exists or not."""

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from farthing.app import open_hub
from farthing.core.orders import SignedOrder
from farthing.keys import P256, new_signer
from farthing.web.api.openapi import describe
from farthing.web.app import HubApp, all_endpoints

from .access_table import KEYS, ROWS, Row
from .parties import ME, ORDERS, OTHERS, THEM, Parties, nobodys, open_parties, rotation
from .statements import Statements, Verifications
from .town import NOBODY, URL, Machine, body_of, config_in

Send = Callable[[Parties], Awaitable[httpx.Response]]
MADE_BY_ASKER = {"RefundBody": {"id"}}
"""Ids in bodies that name something new."""

SCHEMAS = describe(all_endpoints(), "")["components"]["schemas"]
IDENT = {"type": "string", "minLength": 5, "maxLength": 40}


class Case(NamedTuple):
    """One request about something that exists, and the same about nothing."""

    name: str
    there: Send
    nowhere: Send


def asking(method: str, path: str, body: Any, role: str) -> Send:
    """Send one request, as it is."""

    async def send(parties: Parties) -> httpx.Response:
        return await parties.town.ask(method, path, body, who=role)

    return send


def roles(row: Row) -> list[str]:
    """Name a key, and the device where it may ask, which are let in but do not see everything."""
    keys = [role for role in KEYS if row.admits(role)]
    return keys[:1] + (["device"] if row.admits("device") and not row.admits(NOBODY) else [])


async def things(parties: Parties) -> AsyncIterator[Case]:
    """Ask about things whose ids stand in paths, or which a body is all about."""
    for row in ROWS:
        if row.whose:
            for role in roles(row):
                there = await parties.request(row, "stranger")
                nowhere = await parties.request(row, "nowhere")
                if "{" in row.path:
                    there = there._replace(body=nowhere.body)
                yield Case(f"{row.request} {role}", asking(*there, role), asking(*nowhere, role))


def idents(endpoint: Any) -> Iterator[str]:
    """Name the members of a body that are ids of things."""
    name = endpoint.body.__name__ if endpoint.body is not None else ""
    for member, shape in SCHEMAS.get(name, {"properties": {}})["properties"].items():
        shapes = [shape, *shape.get("anyOf", [])]
        is_ident = any(IDENT.items() <= one.items() for one in shapes)
        if is_ident and member not in MADE_BY_ASKER.get(name, ()):
            yield member


async def members(parties: Parties) -> AsyncIterator[Case]:
    """Name somebody else's thing in a body that is right otherwise."""
    rows = {row.request: row for row in ROWS}
    for endpoint in all_endpoints():
        row = rows[f"{endpoint.method} {endpoint.path}"]
        for member in idents(endpoint):
            for role in roles(row):
                method, path, body = await parties.request(row, "owner")
                theirs = await getattr(parties, member)(THEM)
                there = asking(method, path, body | {member: theirs}, role)
                nowhere = asking(method, path, body | {member: nobodys(member)}, role)
                yield Case(f"{row.request} {member}", there, nowhere)


async def filters(parties: Parties) -> AsyncIterator[Case]:
    """Look for somebody else's payments by what they have in common."""
    await parties.payment("paid", "stranger")
    machine = parties.town.machines[OTHERS]
    wanted = {"device": machine.id, "payer": machine.account, "payee": parties.town.accounts[THEM]}
    for name, ident in wanted.items():
        for path in ("/v1/payments", "/v1/payments/export"):
            none = nobodys("device" if name == "device" else "account")
            yield Case(
                f"{path} {name}",
                asking("GET", f"{path}?{name}={ident}", None, "read"),
                asking("GET", f"{path}?{name}={none}", None, "read"),
            )
    for name in ("challenge=some", f"idempotency_key=k&device={machine.id}"):
        none = name.replace("some", "none").replace(machine.id, nobodys("device"))
        there, nowhere = (asking("GET", f"/v1/payments?{q}", None, "read") for q in (name, none))
        yield Case(name, there, nowhere)


def forged(parties: Parties, device: str, payee: str) -> SignedOrder:
    """Sign an order as a device whose key one does not have."""
    return parties.town.order(5, machine="thief", device=device, payee=payee)


async def proofs(parties: Parties) -> AsyncIterator[Case]:
    """Name a device, enrolled or revoked, without its key; or a payee, without a proof at all."""
    town = parties.town
    town.machines["thief"] = Machine("", "", "", new_signer())
    lost = town.machines["lost device"].id
    for device in (town.machines[THEM].id, lost):
        signed = [forged(parties, d, town.accounts[ME]) for d in (device, nobodys("device"))]
        for request, role in [
            *((request, "seller") for request in ORDERS), ("POST /verify", NOBODY)
        ]:  # fmt: skip
            write = ORDERS[request]
            there, nowhere = (asking(*request.split(), write(town, s), role) for s in signed)
            yield Case(f"{request} {role}", there, nowhere)
        there, nowhere = (asking("POST", "/v1/payments", body_of(s), NOBODY) for s in signed)
        yield Case("POST /v1/payments", there, nowhere)
        path = "/v1/payments/cancel"
        there, nowhere = (asking("POST", path, body_of(s), NOBODY) for s in signed)
        yield Case("cancel", there, nowhere)
        there, nowhere = (_rotating(d) for d in (device, nobodys("device")))
        yield Case("rotate", there, nowhere)
        there, nowhere = (_signing(d) for d in (device, nobodys("device")))
        yield Case("signed", there, nowhere)
    session = await parties.session("stranger")
    voucher = {"voucher": town.voucher(session, 1, machine="thief")}
    paths = [f"/v1/sessions/{s}/vouchers" for s in (session["id"], nobodys("session"))]
    there, nowhere = (asking("POST", path, voucher, NOBODY) for path in paths)
    yield Case("voucher", there, nowhere)
    for payees in [(town.accounts[THEM], nobodys("account"))]:
        bodies = [
            body_of(forged(parties, nobodys("device"), payee)) | {"category": "tea"}
            for payee in payees
        ]
        there, nowhere = (asking("POST", "/v1/payments", body, NOBODY) for body in bodies)
        yield Case("category", there, nowhere)


def _rotating(device: str) -> Send:
    async def send(parties: Parties) -> httpx.Response:
        body = rotation(parties.town.machines["thief"], device)
        return await parties.town.ask("POST", f"/v1/devices/{device}/rotate", body)

    return send


def _signing(device: str) -> Send:
    async def send(parties: Parties) -> httpx.Response:
        thief = Machine(device, "", "", parties.town.machines["thief"].signer)
        request = parties.town.http.build_request("GET", "/v1/payments")
        parties.town.sign(request, thief)
        return await parties.town.http.send(request)

    return send


@contextlib.asynccontextmanager
async def reopened(folder: Path, parties: Parties) -> AsyncIterator[Parties]:
    """Open the hub again, which then remembers nothing; it only does what it is asked."""
    hub = await open_hub(config_in(folder))
    await hub.worker.stop()
    wire = httpx.ASGITransport(HubApp(hub.desk))
    try:
        async with httpx.AsyncClient(transport=wire, base_url=URL) as http:
            yield Parties(dataclasses.replace(parties.town, hub=hub, http=http))
    finally:
        await hub.close()


@pytest.mark.rule("asvs.8.2.2", on="hub")
async def test_what_is_somebody_elses_and_what_is_nowhere_are_answered_alike(tmp_path: Path):
    cases: list[Case] = []
    async with open_parties(tmp_path) as parties:
        for making in (things, members, filters, proofs):
            cases += [case async for case in making(parties)]
    wrong: list[Any] = []
    with Statements() as statements:
        async with reopened(tmp_path, parties) as parties:
            for role in KEYS:  # Until all is known that is known of an asker.
                await parties.town.ask("POST", "/v1/keys/key_x/revoke", who=role)
            before = await parties.town.dump()
            for case in cases:
                told: list[Any] = []
                # Cold, and again when it may be remembered.
                for send in (case.there, case.nowhere, case.there, case.nowhere):
                    statements.taken()
                    answer = await send(parties)
                    headers = dict(answer.headers)
                    told.append((answer.status_code, answer.text, statements.taken(), headers))
                if any(one != told[0] for one in told):
                    wrong.append((case.name, [(t[0], t[1][-90:], len(t[2])) for t in told]))
            after = await parties.town.dump()
    assert wrong == [], "\n".join(map(str, wrong))
    assert after == before
    assert len(cases) > 60


async def tried(parties: Parties, counting: Verifications, device: str, sends: Any) -> list[int]:
    """Count the signatures that are checked for a forgery of each kind, cold and warm."""
    counts: list[int] = []
    for send in (*sends(device), *sends(device)):
        counting.taken()
        assert (await send(parties)).status_code == 401
        counts.append(counting.taken())
    return counts


async def test_as_many_signatures_are_checked_for_a_device_that_is_not_there(tmp_path: Path):
    with Verifications() as counting:
        async with open_parties(tmp_path) as parties:
            town = parties.town
            thief = town.machines["thief"] = Machine("", "", "", new_signer())

            def sends(device: str) -> list[Send]:
                order = body_of(forged(parties, device, town.accounts[ME]))
                return [asking("POST", "/v1/payments", order, NOBODY), _signing(device)]

            there = await tried(parties, counting, town.machines[THEM].id, sends)
            assert there == [1, 1] * 2
            nowhere = [
                await tried(parties, counting, f"dev_{n:026}", sends) for n in range(1000, 1040)
            ]
            thief.signer = new_signer(P256)
            nowhere += [
                await tried(parties, counting, f"dev_{n:026}", sends) for n in range(1000, 1040)
            ]
    # As for devices with one key or two, of either kind: a signed request names the kind itself,
    # and is not checked under a key of another.
    assert {counts[0] for counts in nowhere} == {1, 2}
    assert {counts[1] for counts in nowhere} == {0, 1, 2}
    assert all(counts[:2] == counts[2:] for counts in nowhere)
