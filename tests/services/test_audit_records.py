"""The audit holds records beside the ledger against what the history states of them."""

from typing import get_origin

import msgspec
import pytest

from farthing.codec import canonical_json, read_json
from farthing.core.accounts import ASSETS, AssetRecord
from farthing.core.audit_records import STATED
from farthing.core.devices import DEVICES, Device, DeviceKey, RevokeDevice
from farthing.core.kept_statements import stated
from farthing.core.records import Table
from farthing.core.stated import record_digest
from farthing.services.audit import audit
from tests.conftest import SIGNER
from tests.services.test_audit import rehash

COLUMNS = [
    (table, column)
    for table in STATED
    for column in table.row.__struct_fields__
    if column not in (table.free or ())
]
FREE = [(table, column) for table in STATED for column in table.free or ()]


def _other(value):
    if isinstance(value, int):
        return value ^ 1
    if isinstance(value, bytes):
        return bytes((value[0] ^ 1,)) + value[1:]
    if value is None:
        return 1  # The only column that may be empty counts units.
    return value[:-1] + chr(ord(value[-1]) ^ 1) if value else "x"


def _name(given):
    return given.name if isinstance(given, Table) else given


@pytest.mark.parametrize("table, column", COLUMNS, ids=_name)
def test_a_changed_field_of_a_record_is_found_and_the_record_named(spoilt, table, column):
    rows = spoilt.rows(f"SELECT {table.key}, {column} FROM {table.name} ORDER BY {table.key}")
    assert rows, f"the books of these tests hold {table.name}"
    for key, value in (rows[0], rows[-1]):
        sql = f"UPDATE {table.name} SET {column} = ? WHERE {table.key} = ?"
        report = spoilt.audit((sql, (_other(value), key)))
        assert report.fault is not None, f"{table.name}.{column} of {key}"
        assert report.fault.table in (STATED[table], "payment", "commit"), report.text


@pytest.mark.parametrize("table, column", FREE, ids=_name)
def test_what_people_wrote_may_be_deleted(spoilt, table, column):
    kind = table.row.__annotations__[column]
    empty = "[]" if get_origin(kind) is list else {int: 0, bytes: b""}.get(kind, "")
    sql = f"UPDATE {table.name} SET {column} = ?"
    assert spoilt.audit((sql, (empty,))).text == "ok"


@pytest.mark.parametrize("table", STATED, ids=_name)
def test_a_record_that_was_removed_or_added_is_named(spoilt, table):
    rows = spoilt.rows(f"SELECT {table.key} FROM {table.name} ORDER BY {table.key} DESC LIMIT 1")
    [[key]] = rows
    gone = spoilt.audit((f"DELETE FROM {table.name} WHERE {table.key} = ?", (key,)))
    assert gone.fault is not None
    if table.name not in ("account_records", "certificates"):  # The ledger, or a head, misses it.
        name = key.hex() if isinstance(key, bytes) else key
        assert gone.fault.row == f"{STATED[table]} {name}", gone.text
    if table.name in ("assets", "certificates"):
        return  # An asset that nothing is counted in harms nothing; the root key signs the other.
    unique = {"hash": "randomblob(32)" if spoilt.database.dialect == "sqlite" else "sha256('x')"}
    columns = table.row.__struct_fields__
    chosen = ["?" if column == table.key else unique.get(column, column) for column in columns]
    sql = f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT {', '.join(chosen)}"
    added = spoilt.audit((f"{sql} FROM {table.name} WHERE {table.key} = ?", (_other(key), key)))
    assert added.fault.table == STATED[table], added.text


async def test_a_record_changed_behind_the_hubs_back_is_found_though_the_hub_wrote_it_since(
    world, database, books
):
    """Whoever lets the hub rewrite a row that he changed does not get it stated as right."""
    spender = await world.spender(5)
    changed = msgspec.structs.replace(spender.device, account=await world.account())
    database.transact(lambda tx: tx.put(DEVICES, [changed]))
    books._writer._writing.forget()
    await world.do(RevokeDevice(spender.device.id, None))
    report = await audit(database, None)
    assert report.fault.row == f"device {spender.device.id}"
    assert "was changed before leaf" in report.fault.what


async def test_an_asset_is_stated_by_the_first_account_in_it(world, database):
    database.transact(lambda tx: tx.put(ASSETS, [AssetRecord("EUR", 6, 2)]))
    assert (await audit(database, None)).text == "ok"
    await world.account()
    sql = "DELETE FROM assets WHERE code = 'EUR'"
    database.transact(lambda tx: tx.run(sql))
    assert (await audit(database, None)).text == "ok"  # Nothing was ever counted in it.
    database.transact(lambda tx: tx.run("UPDATE assets SET scale = 2"))
    assert str((await audit(database, None)).fault).startswith("asset USD: ")


UNKNOWN_TO_IT = ("passkeys", "sign_in_codes", "identities")
NEVER_STATED = "SELECT COUNT(*) FROM cases WHERE state = 'open'"
"""What follows from its payment needs no statement of its own."""


def as_an_older_version(tx):
    """Make these books what they would be if the version before these digests had written them."""
    rows = tx.rows("SELECT number, subject, statement FROM leaves ORDER BY number")
    for number, subject, kept in rows:
        said = read_json(stated(subject, kept)) if kept else {}
        new = [said.pop(name, None) for name in ("before", "after", "record")]
        if any(member is not None for member in new):
            sql = "UPDATE leaves SET statement = ? WHERE number = ?"
            tx.run(sql, (canonical_json(said), number))
    for name in UNKNOWN_TO_IT:
        tx.run(f"DELETE FROM {name}")
    rehash(tx, 1, SIGNER)


def test_books_of_an_older_version_pass_and_tell_what_is_not_proven(spoilt):
    tables = {*(table.name for table in STATED), "payments"} - set(UNKNOWN_TO_IT)
    count = sum(spoilt.rows(f"SELECT COUNT(*) FROM {name}")[0][0] for name in tables)
    count -= spoilt.rows(NEVER_STATED)[0][0]
    report = spoilt.audit(as_an_older_version, heads=[])
    assert report.text == "ok"
    [note] = report.notes
    assert note.startswith(f"{count} records were last written by an older version")
    planted = "INSERT INTO owners (id, name, time_zone, created_ns) VALUES (?, '', 'UTC', 1)"
    added = spoilt.audit(as_an_older_version, (planted, ("own_" + "0" * 25 + "8",)), heads=[])
    assert added.fault.table == "owner"


async def test_a_record_that_this_version_writes_is_proven_from_then_on(world, database, books):
    spender, other = await world.spender(5), await world.spender(5)
    database.transact(as_an_older_version)
    books._writer._writing.forget()
    await world.do(RevokeDevice(spender.device.id, None))
    before = await audit(database, None)
    assert before.text == "ok"
    database.transact(lambda tx: tx.put(DEVICES, [msgspec.structs.replace(other.device, name="")]))
    assert (await audit(database, None)).text == "ok"
    database.transact(lambda tx: tx.put(DEVICES, [spender.device]))  # No longer revoked.
    assert (await audit(database, None)).fault.row == f"device {spender.device.id}"


async def test_books_that_an_older_version_wrote_to_again_are_not_proven(world, database, books):
    """Going back a version and forward again loses the proof, and never makes books broken."""
    spender = await world.spender(5)

    def last_as_older(tx):
        [(number, subject, kept)] = tx.rows(
            "SELECT number, subject, statement FROM leaves ORDER BY number DESC LIMIT 1"
        )
        said = read_json(stated(subject, kept))
        bare = {name: said[name] for name in ("digest", "kind", "subject")}
        tx.run("UPDATE leaves SET statement = ? WHERE number = ?", (canonical_json(bare), number))
        rehash(tx, 1, SIGNER)

    await world.do(RevokeDevice(spender.device.id, None))
    database.transact(last_as_older)
    report = await audit(database, None)
    assert report.text == "ok"
    assert "not proven" in " ".join(report.notes)


def test_a_digest_stays_what_it_was():
    """Digests in histories are for good: a field may be added only with its default."""
    device = Device("dev_1", "own_1", "acc_1", "man_1", "a name", [DeviceKey("ed25519:x", 7)], 7, 0)
    assert record_digest(DEVICES, device) == "XBZEH7HuKrdgTiZmBISBR4BF9QY327M8BKvi435A01s"
    assert (
        record_digest(DEVICES, msgspec.structs.replace(device, name=""))
        == "XBZEH7HuKrdgTiZmBISBR4BF9QY327M8BKvi435A01s"
    )

    class Older(msgspec.Struct, frozen=True):
        id: str
        owner: str

    class Newer(Older, frozen=True):
        note: str = ""

    older, newer = Table("t", Older, "id", free=()), Table("t", Newer, "id", free=())
    same = record_digest(older, Older("1", "2"))
    assert record_digest(newer, Newer("1", "2")) == same
    assert record_digest(newer, Newer("1", "2", "x")) != same
    assert record_digest(older, Older("1", 2)) != same  # type: ignore[arg-type]
