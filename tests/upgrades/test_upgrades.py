"""Books, keys, heads, backups and devices of every schema that has landed are taken up by today's.

What each fixture is, and how it was made: fixtures/README.md.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from farthing.app import open_hub
from farthing.config import load_config
from farthing.core.receipts import receipt_fault
from farthing.device import Client, Patience, open_purse, paid
from farthing.keys import read_key_file
from farthing.store.migrate import migrations
from farthing.store.sqlite import SqliteDatabase
from tests.cli.runner import Terminal
from tests.e2e.hub_process import HubProcess

from .kept import DRAFTS, FIXTURES, NAMES, newest, told, unpack
from .life import PASSPHRASE, SHOP, Clock, Life, Shop

ANSWERS_SINCE = 19
"""The schema from which on it is kept who answered an ask."""

EACH = pytest.mark.parametrize("name", NAMES)


@contextlib.asynccontextmanager
async def taken_up(folder: Path, expected: dict[str, Any]) -> AsyncIterator[Life]:
    """Open a fixture's hub with today's code, a second after its life ended."""
    clock = Clock()
    clock.now_ns = expected["time_ns"] + 1_000_000_000
    hub = await open_hub(load_config(folder / "hub" / "farthing.toml", {}), clock=clock)
    life = Life(folder, hub, clock)
    found = ("accounts", "payments", "time_ns")
    life.kept = {name: what for name, what in expected.items() if name not in found}
    life.payments = {name: one["id"] for name, one in expected["payments"].items()}
    try:
        yield life
    finally:
        await hub.close()


async def standing(life: Life) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tell how accounts and payments stand, as a fixture tells it."""
    found = await life.told()
    return found["accounts"], found["payments"]


async def goes_on(folder: Path, expected: dict[str, Any], schema: int) -> None:
    """Everything is as it was, and what was open can be ended."""
    async with taken_up(folder, expected) as life:
        accounts, payments = await standing(life)
        assert accounts == expected["accounts"]
        assert payments == expected["payments"]
        await ends(life, schema)
        await kiosk_pays(life, folder)
        accounts, _ = await standing(life)
        spent = int(expected["accounts"]["buyer"]["spent"])
        drawn = 500 if "session" in expected else 0
        # A held payment, one that awaited, the kiosk's new one, and what a session had drawn.
        assert int(accounts["buyer"]["spent"]) == spent + 800 + 2400 + 1500 + drawn


async def ends(life: Life, schema: int) -> None:
    """Sellers capture and refund what is of the time before; the owner answers; keys still work."""
    key = life.kept["seller"]["key"]
    assert (await life.seller(life.payments["held"], "capture", {}))["state"] == "captured"
    await life.seller(life.payments["refunded"], "refunds", {"units": "500"})
    awaiting = f"/v1/payments/{life.payments['awaiting']}/approve"
    assert (await life.ask("POST", awaiting, None, life.kept["buyer"]["key"]))["id"]
    told = await life.ask("GET", f"/v1/payments/{life.payments['awaiting']}")
    assert [said["means"] for said in told["answers"]] == ["key"]
    before = await life.ask("GET", f"/v1/payments/{life.payments['deny']}")
    kept = [said["means"] for said in before.get("answers", [])]
    assert kept == (["operator"] if schema >= ANSWERS_SINCE else [])
    if "session" in life.kept:
        closed = await life.ask("POST", f"/v1/sessions/{life.kept['session']}/close", None, key)
        assert (closed["state"], closed["captured"]) == ("closed", "500")
    headers = {"authorization": f"Bearer {life.kept['revoked_key']}"}
    assert (await life.http.get("/v1/accounts", headers=headers)).status_code == 401
    offers = (await life.ask("GET", "/v1/offers?limit=9", None, key))["items"]
    standing = [one for one in offers if one["withdrawn_at"] is None]
    assert life.kept["offer"] in [one["id"] for one in standing]


async def kiosk_pays(life: Life, folder: Path) -> None:
    """The device gets the answer that was lost, without paying again; and then pays a new one."""
    shop, made = Shop(life), []
    for _ in range(2):
        purse = open_purse(folder / "device")
        patience = Patience(clock=life.clock, sleep=life.clock.sleep)
        async with Client(purse, transport=shop, patience=patience, plain_http=True) as client:
            answer = await client.get(SHOP)
        told = paid(answer)
        assert (answer.text, told is not None) == ("sunny", True)
        made.append(told.payment)
    assert made[0] == life.payments["lost answer"]
    assert made[1] != made[0]
    assert open_purse(folder / "device").journal.unresolved() == []


@EACH
def test_a_hub_on_sqlite_goes_on_where_it_was(name: str, tmp_path: Path):
    folder = unpack(name, tmp_path)
    asyncio.run(goes_on(folder, told(name), told(name)["schema"]))
    farthing = Terminal(tmp_path)
    assert farthing("audit").code == 0, farthing("audit")


@EACH
def test_a_hub_on_postgresql_goes_on_where_it_was(name: str, tmp_path: Path, postgres_server: Any):
    folder = unpack(name, tmp_path) / "postgres"
    with empty_database(postgres_server) as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute((folder / "dump.sql").read_bytes())
        settings = f'[books]\nengine = "postgresql"\ndsn = "{dsn}"\n'
        (folder / "hub" / "farthing.toml").write_text(settings)
        expected = json.loads((folder / "expected.json").read_text())
        asyncio.run(goes_on(folder, expected, told(name)["schema"]))
        assert Terminal(folder)("audit").code == 0


@contextlib.contextmanager
def empty_database(server: Any) -> Any:
    """A database without even a schema."""
    name = f"upgrade_{id(server)}"
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        yield server.dsn(name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@EACH
def test_it_is_tried_on_a_copy_and_then_served(name: str, tmp_path: Path):
    home = tmp_path / "farthing"
    unpack(name, home)
    expected, farthing = told(name), Terminal(home)
    before = (home / "hub" / "farthing.db").read_bytes()
    if name != newest():
        told_so = farthing("audit")
        assert (told_so.code, "database-not-migrated" in told_so.err) == (8, True), told_so
    tried = farthing("upgrade-check", "--json")
    assert tried.code == 0, tried
    report = json.loads(tried.out)
    assert (report["schema"], report["newest"]) == (expected["schema"], migrations()[-1][0])
    assert (home / "hub" / "farthing.db").read_bytes() == before
    hub = HubProcess(tmp_path)
    hub.start()
    try:
        shown = json.loads(farthing("accounts", "list", "--json").out)
        # What was open is over long since, to either side: in all it is what it was.
        assert sum(of(one["balance"]) for one in shown) == sum(
            of(one) for one in expected["accounts"].values()
        )
    finally:
        assert hub.stop() == 0
    assert farthing("audit").code == 0


def of(balance: Any) -> int:
    """Count what an account has, held or not."""
    return int(balance["available"]) + int(balance["held"])


@EACH
def test_old_receipts_verify(name: str, tmp_path: Path):
    folder, expected = unpack(name, tmp_path), told(name)
    receipts = json.loads((folder / "receipts.json").read_text())
    assert len({receipt["certificate"]["key"] for receipt in receipts.values()}) == 2
    for receipt in receipts.values():
        assert receipt_fault(receipt, expected["root_key"]) is None
        receipt["statement"]["amount"] = "1"
        assert receipt_fault(receipt, expected["root_key"]) is not None


@EACH
def test_an_old_backup_comes_back(name: str, tmp_path: Path):
    folder, expected = unpack(name, tmp_path), told(name)
    backup = folder / "books.backup"
    if not backup.exists():
        assert name == "schema-2-early", "only its commit had no backups yet"
        return
    other = Terminal(tmp_path / "elsewhere")
    back = other("restore", str(backup), "--passphrase-file", str(folder / "phrase"), "--json")
    assert back.code == 0, back.err
    assert json.loads(back.out)["hub"] == expected["hub"]
    shown = json.loads(other("accounts", "list", "--json").out)
    held = {one["name"]: one["balance"]["received"] for one in shown}
    assert held == {n: one["received"] for n, one in expected["accounts"].items()}


@pytest.mark.parametrize("name", [n for n in NAMES if n != "schema-2-early"])
def test_keys_that_were_sealed_open_with_their_passphrase(name: str, tmp_path: Path):
    folder = unpack(name, tmp_path)
    plain = {file.name: file for file in (folder / "hub" / "keys").glob("*.key")}
    plain["device.key"] = folder / "device" / "device.key"
    sealed = sorted(file for file in (folder / "sealed").iterdir() if file.name != "challenge.key")
    assert len(sealed) == 4
    for file in sealed:
        opened = read_key_file(file, lambda: PASSPHRASE)
        assert opened.public == read_key_file(plain[file.name]).public


@pytest.mark.parametrize("name", DRAFTS)
def test_books_of_a_draft_are_refused_and_left_as_they_are(name: str, tmp_path: Path):
    unpack(name, tmp_path)
    books, farthing = tmp_path / "hub" / "farthing.db", Terminal(tmp_path)
    before = books.read_bytes()
    for words in (("upgrade-check",), ("balances",), ("audit",), ("serve", "--port", "0")):
        refused = farthing(*words)
        assert (refused.code, "database-too-old" in refused.err) == (8, True), (words, refused)
    assert books.read_bytes() == before


def test_an_init_beside_older_books_is_refused_and_leaves_them_as_they_are(tmp_path: Path):
    unpack("schema-11", tmp_path)
    books, farthing = tmp_path / "hub" / "farthing.db", Terminal(tmp_path)
    before = books.read_bytes()
    refused = farthing("init")
    assert (refused.code, "hub-exists" in refused.err, refused.out) == (8, True, "")
    assert books.read_bytes() == before


def test_books_of_a_newer_version_are_refused_and_left_as_they_are(tmp_path: Path):
    unpack(newest(), tmp_path)
    books, farthing = tmp_path / "hub" / "farthing.db", Terminal(tmp_path)
    database = SqliteDatabase(books, None)
    database.transact(lambda tx: tx.run("INSERT INTO migrations (number) VALUES (9999)"))
    database.close()
    for words in (("upgrade-check",), ("balances",)):
        refused = farthing(*words)
        assert (refused.code, "database-too-new" in refused.err) == (8, True), (words, refused)


def test_every_fixture_is_on_the_page_with_its_commit():
    page = (FIXTURES / "README.md").read_text()
    for name in (*DRAFTS, *NAMES):
        assert f"| `{name}` | `{told(name)['commit'][:7]}` |" in page, name
