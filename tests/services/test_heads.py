"""The second place for heads: bounded, torn lines forgiven, rolled-back books refused."""

import threading

import pytest

from farthing.books.sql import SqlBooks
from farthing.core.chain import sign_head
from farthing.core.events import EVENTS, Event
from farthing.core.heads import head_line, read_head_line
from farthing.core.identity import AcceptRollback
from farthing.errors import BadConfig, Malformed
from farthing.services.audit import audit
from farthing.services.heads import HeadsFile, check_not_rolled_back
from farthing.store.sqlite import SqliteDatabase
from farthing.testing.worlds import World
from tests.conftest import SIGNER


def _heads(count):
    heads, previous = [], bytes(32)
    for number in range(1, count + 1):
        head = sign_head(SIGNER, "main", number, previous, bytes([number % 256]) * 32, 1, number)
        heads.append(head)
        previous = head.digest
    return heads


def test_heads_come_back_as_they_were_noted(tmp_path):
    file = HeadsFile(tmp_path / "far" / "heads.log")
    assert (file.newest(), file.read()) == (None, [])
    heads = _heads(5)
    for head in heads:
        file.append(head)
    assert file.read() == heads
    assert HeadsFile(file.path).newest() == heads[-1]
    assert file.path.stat().st_mode & 0o777 == 0o600
    file.close()


def test_the_file_keeps_the_newest_and_stays_small(tmp_path):
    file = HeadsFile(tmp_path / "heads.log", kept=10)
    heads = _heads(57)
    for head in heads:
        file.append(head)
        assert file.newest() == head
    kept = file.read()
    assert 10 <= len(kept) <= 24
    assert kept == heads[-len(kept) :]


def test_a_last_line_that_a_crash_tore_is_dropped_and_written_over(tmp_path):
    heads = _heads(3)
    path = tmp_path / "heads.log"
    whole = head_line(heads[1])
    for cut in range(1, len(whole)):
        path.write_bytes(head_line(heads[0]) + whole[:cut])
        file = HeadsFile(path)
        assert file.newest() == heads[0]
        file.append(heads[2])
        assert file.read() == [heads[0], heads[2]]
        file.close()


def test_a_broken_line_elsewhere_is_an_error(tmp_path):
    heads = _heads(3)
    lines = [head_line(head) for head in heads]
    path = tmp_path / "heads.log"
    for broken in (b"\n", b"{}\n", lines[1][:-9] + b"\n", lines[1].replace(b'"2"', b'"3"')):
        path.write_bytes(lines[0] + broken + lines[2])
        with pytest.raises(BadConfig) as caught:
            HeadsFile(path).read()
        assert caught.value.code == "heads-file-broken"
        path.write_bytes(lines[0] + broken)
        with pytest.raises(BadConfig):
            HeadsFile(path).newest()


def test_a_line_with_another_member_is_no_head():
    line = head_line(_heads(1)[0])
    assert read_head_line(line) == _heads(1)[0]
    for bad in (line.replace(b'"chain"', b'"chains"'), b"[]", b"", b'{"number":1}', b"\xff"):
        with pytest.raises(Malformed):
            read_head_line(bad)


def test_two_processes_append_to_one_file_and_lose_nothing(tmp_path):
    files = [HeadsFile(tmp_path / "heads.log", kept=150) for _ in range(2)]
    heads = _heads(200)

    def write(file, mine):
        for head in mine:
            file.append(head)

    threads = [
        threading.Thread(target=write, args=(file, heads[i::2])) for i, file in enumerate(files)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(files[0].read(), key=lambda head: head.number) == heads


def test_a_file_that_cannot_be_written_fails_no_payment_but_is_reported(tmp_path):
    (tmp_path / "heads.log").mkdir()
    faults = []
    HeadsFile(tmp_path / "heads.log", on_fault=faults.append).append(_heads(1)[0])
    assert len(faults) == 1
    HeadsFile(tmp_path / "heads.log").append(_heads(1)[0])


async def test_books_that_contain_the_newest_head_are_taken(database, world, books, tmp_path):
    heads = HeadsFile(tmp_path / "heads.log")
    assert check_not_rolled_back(database, heads) is None
    books._writer._writing._on_head = heads.append
    await world.account(units=5)
    assert check_not_rolled_back(database, heads) is None
    assert (await audit(database, None, heads)).text == "ok"


async def _restored(tmp_path, readers, writer, clock):
    """Books, restored from a copy that is older than what was paid since."""
    heads = HeadsFile(tmp_path / "heads.log")

    def opened():
        database = SqliteDatabase(tmp_path / "books.db", readers)
        return database, SqlBooks(database, lambda: SIGNER, clock, writer, heads.append)

    from farthing.store.migrate import migrate

    database, books = opened()
    migrate(database)
    world = World(books, database, clock)
    world.begin()
    account = await world.account(units=5)
    database.close()
    copy = (tmp_path / "books.db").read_bytes()
    database, books = opened()
    await World(books, database, clock, 1).credit(account, 7)
    database.close()
    (tmp_path / "books.db").write_bytes(copy)
    database, books = opened()
    return database, books, heads, account


@pytest.mark.rule("farthing.newest-head", on="hub")
async def test_a_hub_refuses_books_older_than_their_newest_head(
    tmp_path, readers, clock, writer_thread
):
    database, _, heads, _ = await _restored(tmp_path, readers, writer_thread, clock)
    with pytest.raises(BadConfig) as caught:
        check_not_rolled_back(database, heads)
    assert caught.value.code == "books-rolled-back"
    assert "--accept-rollback" in caught.value.detail
    report = await audit(database, None, heads)
    assert report.fault.table == "commit"
    assert report.fault.number == heads.newest().number
    assert (await audit(database, None)).ok  # Right in themselves: only the file can tell.
    database.close()


@pytest.mark.rule("farthing.newest-head", on="hub")
async def test_an_accepted_rollback_stays_on_record(tmp_path, readers, clock, writer_thread):
    database, books, heads, account = await _restored(tmp_path, readers, writer_thread, clock)
    lost = check_not_rolled_back(database, heads, accept=True)
    with pytest.raises(BadConfig):  # Accepting it once is not enough: it must be recorded.
        check_not_rolled_back(database, heads)
    await books.commit_one(AcceptRollback(lost))
    assert check_not_rolled_back(database, heads) is None
    world = World(books, database, clock, 2)
    await world.credit(account, 3)
    assert (await audit(database, None, heads)).text == "ok"
    assert lost in {event[0] for event in _lost(database)}
    database.transact(lambda tx: tx.run("DELETE FROM events"))
    assert (await audit(database, None, heads)).text == "ok"  # The history itself has it.
    database.close()


@pytest.mark.parametrize("rest", ["-" * 26, "_" * 26, "z" * 26, "0" * 26])
async def test_a_digest_is_stated_though_its_end_is_as_long_as_an_id(
    rest, tmp_path, readers, clock, writer_thread
):
    """One digest in eighty has its first underscore just there."""
    database, books, heads, _ = await _restored(tmp_path, readers, writer_thread, clock)
    check_not_rolled_back(database, heads, accept=True)
    await books.commit_one(AcceptRollback("a" * 16 + "_" + rest))
    heads.path.unlink()
    assert (await audit(database, None, heads)).text == "ok"
    database.close()


async def test_an_accepted_rollback_stays_accepted_though_its_own_head_was_lost(
    tmp_path, readers, clock, writer_thread
):
    """A crash may come before the head is noted, and a power cut may take the file's end."""
    database, books, heads, _ = await _restored(tmp_path, readers, writer_thread, clock)
    before = heads.path.read_bytes()
    await books.commit_one(AcceptRollback(check_not_rolled_back(database, heads, accept=True)))
    heads.path.write_bytes(before)
    assert check_not_rolled_back(database, heads) is None
    assert check_not_rolled_back(database, heads, accept=True) is None  # It is not stated twice.
    assert (await audit(database, None, heads)).text == "ok"
    database.close()


@pytest.mark.parametrize("forged", ["event", "statement", "certificate"])
async def test_only_the_history_itself_can_say_that_a_rollback_was_accepted(
    forged, tmp_path, readers, clock, writer_thread
):
    database, books, heads, _ = await _restored(tmp_path, readers, writer_thread, clock)
    before = heads.path.read_bytes()
    lost = check_not_rolled_back(database, heads, accept=True)
    root = None
    if forged == "event":
        subject = f"head:{lost}"
        told = Event(31, "", "hub.rollback_accepted", subject, 1, {})
        database.transact(lambda tx: tx.add(EVENTS, [told]))
    else:
        await books.commit_one(AcceptRollback(lost))
        heads.path.write_bytes(before)
        if forged == "statement":
            sql = "UPDATE leaves SET rows_digest = zeroblob(32)"
            database.transact(lambda tx: tx.run(sql))
        else:
            root = SIGNER.public  # These books hold no certificate that it signed.
    with pytest.raises(BadConfig) as caught:
        check_not_rolled_back(database, heads, root_public=root)
    assert caught.value.code == "books-rolled-back"
    database.close()


def _lost(database):
    sql = "SELECT subject FROM events WHERE kind = 'hub.rollback_accepted'"
    return [(row[0].removeprefix("head:"),) for row in database.transact(lambda tx: tx.rows(sql))]


async def test_a_rollback_that_was_never_accepted_is_found_ever_after(
    tmp_path, readers, clock, writer_thread
):
    database, books, heads, account = await _restored(tmp_path, readers, writer_thread, clock)
    world = World(books, database, clock, 2)
    lost = heads.newest()
    for _ in range(3):  # A hub that was started without the check.
        await world.credit(account, 3)
    report = await audit(database, None, heads)
    assert (report.fault.table, report.fault.number) == ("commit", lost.number)
    database.close()


def test_a_forged_newest_head_is_an_error_and_no_rollback(database, tmp_path):
    import msgspec

    forged = msgspec.structs.replace(_heads(1)[0], signature=bytes(64))
    heads = HeadsFile(tmp_path / "heads.log")
    heads.append(forged)
    with pytest.raises(BadConfig) as caught:
        check_not_rolled_back(database, heads)
    assert caught.value.code == "heads-file-broken"


async def _noted(database, world, tmp_path, heads):
    """A heads file that holds these heads of real books, and what an audit says of it."""
    path = tmp_path / "heads.log"
    path.write_bytes(b"".join(head_line(head) for head in heads))
    return await audit(database, None, HeadsFile(path))


async def test_heads_at_another_place_than_they_were_noted_at_are_named(
    database, world, books, tmp_path
):
    heads = []
    books._writer._writing._on_head = heads.append
    for _ in range(24):
        await world.account(units=5)
    assert (await _noted(database, world, tmp_path, heads)).text == "ok"
    turned = await _noted(database, world, tmp_path, heads[::-1])
    assert turned.fault.table == "commit"
    assert "heads file" in turned.fault.what
    twice = await _noted(database, world, tmp_path, [*heads, heads[3]])
    assert str(twice.fault).startswith(f"commit {heads[3].number}: the heads file")
    late = await _noted(database, world, tmp_path, [*heads[:5], heads[6], heads[5], *heads[7:]])
    # On PostgreSQL another hub process may note its head a little later.
    assert late.ok == (database.dialect == "postgresql")


def test_heads_of_several_processes_may_stand_a_little_apart(tmp_path):
    from farthing.core.heads import misplaced_head

    heads = _heads(40)
    stored = {head.number: head.digest for head in heads}
    of_two = [head for i in range(0, 40, 10) for k in (1, 0) for head in heads[i + k : i + 10 : 2]]
    assert of_two != heads
    assert misplaced_head(of_two, stored, 2) is None
    assert misplaced_head(of_two, stored, 1) is not None
    assert misplaced_head(heads[::-1], stored, 16) == heads[23]


async def test_nuls_in_the_file_are_named_and_cut_off_at_the_end(tmp_path):
    heads = _heads(3)
    path = tmp_path / "heads.log"
    whole = b"".join(head_line(head) for head in heads[:2])
    for nuls in (1, 4000, 9000):
        for written in (whole + bytes(nuls), bytes(nuls) + whole, bytes(nuls)):
            path.write_bytes(written)
            with pytest.raises(BadConfig) as caught:
                HeadsFile(path).read()
            assert caught.value.code == "heads-file-broken"
        with pytest.raises(BadConfig):
            HeadsFile(path).newest()  # There is no head left to go by.
        path.write_bytes(whole + bytes(nuls))  # As a power cut may leave it.
        file = HeadsFile(path)
        assert file.newest() == heads[1]
        file.append(heads[2])
        assert file.read() == heads
        file.close()
