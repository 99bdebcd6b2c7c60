"""Who may ask what: every endpoint, asked as everybody about everything, is as the table says."""

from pathlib import Path
from typing import Any

import pytest

from farthing.web.app import all_endpoints

from .access_table import ROWS, Row
from .parties import OTHERS, Parties, Request, open_parties
from .town import LOCAL, NOBODY

KEYLESS = ("unknown key", "revoked key")
ROLES = (
    *(NOBODY, *KEYLESS, "owner", "seller", "read", "metrics"),
    *("device", "lost device", "operator", LOCAL),
)
UNSEEN = ("nowhere", "stranger")


def relations(row: Row) -> list[str]:
    """Tell what an asker may have to do with what a request is about."""
    if not row.whose:
        return [""]
    if "owner" in row.whose:
        return ["owner", *UNSEEN]
    return ["payer", "payee", "sibling", *UNSEEN]


def expected(row: Row, role: str, relation: str) -> set[int]:
    """Say with what status a request is answered."""
    if role in KEYLESS:
        return {401}
    if role in ("operator", LOCAL):
        return {404, 403} if relation == "nowhere" else {200, 201}
    if role in ("device", "lost device") and not by_signature(row):
        role = NOBODY  # Nobody looks at its signature.
    if role == "lost device":
        return {401}
    if not row.admits(role):
        return {401} if role in (NOBODY, "device") else {403}
    if role == NOBODY or may_see(row, role, relation):
        return {200, 201}
    return {404} if "{" in row.path else {404, 403}


def by_signature(row: Row) -> bool:
    return "device" in row.who and NOBODY not in row.who


def may_see(row: Row, role: str, relation: str) -> bool:
    """Tell whether the asker is on the right side of the thing; a device sees its own alone."""
    if relation == "sibling":
        return role != "device" and "payer" in row.whose
    if role == "device" and relation == "payee":
        return False
    return not row.whose or relation in row.whose


async def ask(parties: Parties, request: Request, role: str) -> Any:
    """Ask as a role."""
    return await parties.town.ask(*request, who=role)


@pytest.mark.rule("owasp-api.9", on="hub")
def test_every_endpoint_is_in_the_table_once():
    served = [f"{endpoint.method} {endpoint.path}" for endpoint in all_endpoints()]
    assert sorted(row.request for row in ROWS) == sorted(served)


@pytest.mark.rule("asvs.6.3.4", "asvs.8.2.1", "owasp-api.1", "owasp-api.5", on="hub")
async def test_everybody_is_let_in_where_the_table_says_and_nowhere_else(tmp_path: Path):
    wrong: list[Any] = []
    asked = 0
    async with open_parties(tmp_path) as parties:
        for row in ROWS:
            for relation in relations(row):
                asked += await _ask_all(parties, row, relation, wrong)
    assert wrong == []
    assert asked > 1000


async def _ask_all(parties: Parties, row: Row, relation: str, wrong: list[Any]) -> int:
    """Ask as everybody about one thing, first all who are to be turned away: nothing changes."""
    told = {role: expected(row, role, relation) for role in ROLES}
    away = [role for role in ROLES if not told[role] & {200, 201}]
    request = await parties.request(row, relation)
    before = await parties.town.dump()
    for role in away:
        answer = await ask(parties, request, role)
        if answer.status_code not in told[role]:
            wrong.append((row.request, relation, role, answer.status_code, told[role]))
        if row.method == "GET" and role in (NOBODY, "metrics"):
            head = await ask(parties, request._replace(method="HEAD"), role)
            assert head.status_code == answer.status_code
    if await parties.town.dump() != before:
        wrong.append((row.request, relation, "something changed"))
    for role in [role for role in ROLES if role not in away]:
        answer = await ask(parties, await parties.request(row, relation), role)
        if answer.status_code not in told[role]:
            wrong.append((row.request, relation, role, answer.status_code, answer.text))
    return len(ROLES)


LISTS = [row for row in ROWS if row.method == "GET" and not row.whose and "nobody" not in row.who]


@pytest.mark.rule("owasp-api.3", on="hub")
async def test_what_is_listed_is_the_askers_own(tmp_path: Path):
    """Ids of what the others have stand in no list, stream or export, but in the operator's."""
    async with open_parties(tmp_path) as parties:
        theirs = [await getattr(parties, kind)(OTHERS) for kind in ("account", "offer", "key")]
        theirs += [await parties.payment(state, "stranger") for state in ("held", "paid", "asked")]
        machine = parties.town.machines[OTHERS]
        theirs += [parties.town.owners[OTHERS], machine.id, machine.mandate, machine.account]
        mine = [await parties.payment(state, "payer") for state in ("held", "paid")]
        seen: dict[str, set[str]] = {}
        for row in LISTS:
            for role in ("owner", "seller", "read", "device", "operator", LOCAL):
                if row.admits(role) or role == LOCAL:
                    request = await parties.request(row)
                    text = (await ask(parties, request, role)).text
                    found = {ident for ident in theirs if ident in text}
                    assert role in ("operator", LOCAL) or not found, (row.request, role)
                    seen.setdefault(role, set()).update(found)
                    if "payments" in row.path:
                        assert all(ident in text for ident in mine), (row.request, role)
        assert seen["operator"] == seen[LOCAL] == set(theirs)
