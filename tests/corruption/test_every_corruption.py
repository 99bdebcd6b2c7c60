"""Every single corruption of a small book is found, but for what is named here with its reason.

Everyday runs take a random sample, whose seed is printed; `make prove` takes all.
"""

import asyncio
import random
import time
from collections import Counter

import apsw
import pytest

from farthing.core.audit_faults import Broken
from farthing.core.heads import head_line
from farthing.errors import BadConfig
from farthing.keys import Ed25519Signer
from farthing.services.audit import examine
from farthing.services.heads import HeadsFile, check_heads
from farthing.store.sqlite import SqliteTx
from tests.corruption import small
from tests.corruption.files import audited, cut_logs, restored_pages, swapped_pages
from tests.corruption.rows import UNSEEN, UNSEEN_TABLES, every_change
from tests.services.lived_in import ROOT
from tests.services.test_audit import rehash

_SAMPLE_SECONDS = 1.5


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book")
    return folder, asyncio.run(small.make(folder))


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.prove)], ids=["some", "all"])
def chosen(request):
    """Choose from corruptions: all of them, or as many at random as the time allows."""
    if request.param:
        return lambda every: every

    def some(every):
        seed = random.randrange(2**32)
        print(f"seed {seed}")
        listed, until = list(every), time.monotonic() + _SAMPLE_SECONDS
        random.Random(seed).shuffle(listed)
        for count, one in enumerate(listed):
            if count > 20 and time.monotonic() > until:
                return
            yield one

    some.sample = True
    return some


def _spoilt(connection, heads, *changes):
    """Change and audit in a transaction that is given up."""
    connection.execute("BEGIN")
    tx = SqliteTx(connection)
    try:
        for change in changes:
            change(tx) if callable(change) else tx.run(*change)
        return examine(tx, ROOT.public, heads)
    finally:
        connection.execute("ROLLBACK")


@pytest.fixture
def connection(book):
    opened = apsw.Connection(str(book[0] / "books.db"))
    yield opened
    opened.close()


def test_the_small_book_passes(book, connection):
    assert _spoilt(connection, book[1]).text == "ok"


def test_every_changed_byte_and_row_is_found(book, connection, chosen):
    every = every_change(lambda sql: list(connection.execute(sql)))
    planted, passed, unseen, escaped = Counter(), Counter(), set(), []
    for change in chosen(every):
        try:
            report = _spoilt(connection, book[1], *change.sql)
        except apsw.ConstraintError:  # The key of another row: the database does not take it.
            planted["refused by the database"] += 1
            continue
        planted[change.kind] += 1
        if report.ok:
            if not change.may_pass:
                escaped.append(change.what)
            passed[change.kind] += 1
            unseen.add(change.table if change.table in UNSEEN_TABLES else change[1:3])
    print(f"planted {dict(planted)}, not seen {dict(passed)}: {sorted(map(str, unseen))}")
    assert not escaped, escaped[:20]
    if not hasattr(chosen, "sample"):
        rest = {*UNSEEN_TABLES, *UNSEEN} - unseen
        assert not rest & {table for table in UNSEEN_TABLES if _rows(connection, table)}
        assert not {place for place in UNSEEN if place in rest}, "these are seen: say so no more"


def _rows(connection, table):
    return connection.execute(f"SELECT COUNT(*) FROM {table}").fetchall()[0][0]


def test_every_page_that_was_changed_for_another_is_found(book, chosen, tmp_path):
    folder, heads = book
    path, planted = tmp_path / "books.db", 0
    for what, raw in chosen(swapped_pages(folder / "books.db")):
        path.write_bytes(raw)
        planted += 1
        assert audited(path, heads) is not None, what
    print(f"planted {planted} swapped pages, all found")


def test_every_page_of_an_earlier_moment_is_found(book, chosen, tmp_path):
    folder, heads = book
    path, planted = tmp_path / "books.db", 0
    for what, raw in chosen(restored_pages(folder)):
        path.write_bytes(raw)
        planted += 1
        assert audited(path, heads) is not None, what
    print(f"planted {planted} pages of earlier moments, all found")


def test_a_log_that_was_cut_torn_or_spoilt_loses_whole_commits_which_are_missed(
    book, chosen, tmp_path
):
    folder, heads = book
    path, planted, lost = tmp_path / "books.db", 0, 0
    base = (folder / "log.db").read_bytes()
    for what, log, loses in chosen(cut_logs(folder)):
        path.write_bytes(base)
        path.with_name("books.db-wal").write_bytes(log)
        path.with_name("books.db-shm").unlink(missing_ok=True)
        planted, lost = planted + 1, lost + loses
        assert (audited(path, heads) is not None) == loses, what
    print(f"planted {planted} logs; {lost} lost a commit, all found")


@pytest.mark.parametrize("signer", [None, Ed25519Signer(bytes(32))], ids=["unsigned", "signed"])
def test_every_chain_recomputed_without_the_signing_key_is_found(book, connection, chosen, signer):
    """Money is changed, and everything after it hashed again, with an own key or without."""
    sql = (
        "SELECT t.number, l.commit_number FROM transfers t JOIN leaves l ON l.number = t.leaf"
        " WHERE t.amount > 0"
    )
    planted = 0
    for number, commit in chosen(list(connection.execute(sql))):

        def forge(tx, number=number, commit=commit):
            tx.run("UPDATE transfers SET amount = amount + 1 WHERE number = ?", (number,))
            rehash(tx, commit, signer)

        planted += 1
        report = _spoilt(connection, book[1], forge)
        assert (report.fault.table, report.fault.number) == ("commit", commit), report.text
    print(f"planted {planted} chains, all found")


def test_every_changed_byte_of_the_heads_file_is_found(book, connection, chosen, tmp_path):
    path, planted = tmp_path / "heads.log", 0
    whole = b"".join(head_line(head) for head in book[1])
    for place in chosen(range(len(whole) - 1)):  # Without the last line feed: a torn line.
        path.write_bytes(whole[:place] + bytes((whole[place] ^ 1,)) + whole[place + 1 :])
        planted += 1
        try:
            heads = HeadsFile(path).read()
        except BadConfig as fault:
            assert fault.code == "heads-file-broken"
            continue
        with pytest.raises(Broken):
            check_heads(SqliteTx(connection), heads, set())
    print(f"planted {planted} bytes of the heads file, all found")


def test_heads_recomputed_by_who_has_no_key_are_found(book, connection):
    """A file whose lines all fit each other, of a history that never was."""
    from tests.services.test_heads import _heads

    assert not _spoilt(connection, _heads(len(book[1]))).ok
