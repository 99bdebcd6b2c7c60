"""What only PostgreSQL can do: be restarted, be lost in a commit, be shared, be set up badly."""

import asyncio
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from farthing.core.accounts import ASSETS, AssetRecord
from farthing.errors import BadConfig, OutcomeUnknown, Unavailable
from farthing.store.migrate import apply_up_to, migrate, migrations
from farthing.store.postgres import PostgresDatabase
from farthing.store.postgres_connections import completed
from tests.conftest import fresh_dsn
from tests.ports import free_port

USD, EUR = AssetRecord("USD", 6, 1), AssetRecord("EUR", 6, 2)
A_LEAF = "INSERT INTO leaves VALUES (1, 1, ?, ?, ?, ?)", (b"", b"", b"", b"")
"""Books that have something in them are brought forward as if they were large."""


def codes(tx):
    return [row[0] for row in tx.rows("SELECT code FROM assets ORDER BY code")]


def put(asset):
    return lambda tx: tx.put(ASSETS, [asset])


async def test_a_restart_between_commits_is_not_noticed(own_server, readers):
    database = PostgresDatabase(own_server.dsn(), readers)
    migrate(database)
    database.transact(put(USD))
    assert await database.read(codes) == ["USD"]
    own_server.stop()
    with pytest.raises(Unavailable) as raised:
        database.transact(put(EUR))
    assert raised.value.code in ("store-unreachable", "store-unavailable")
    with pytest.raises(Unavailable):
        await database.read(codes)
    own_server.start()
    assert await database.read(codes) == ["USD"]
    database.transact(put(EUR))
    assert await database.read(codes) == ["EUR", "USD"]
    own_server.stop()
    own_server.start()
    database.transact(put(AssetRecord("CHF", 6, 3)))
    assert await database.read(codes) == ["CHF", "EUR", "USD"]
    database.close()


def test_a_connection_lost_in_the_commit_leaves_the_outcome_unknown(own_server, readers):
    database = PostgresDatabase(own_server.dsn(), readers)
    migrate(database)
    with psycopg.connect(own_server.dsn(), autocommit=True) as other:
        # A commit that waits for a standby which never comes is on disk, and not answered.
        other.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        other.execute("SELECT pg_reload_conf()")
        time.sleep(0.1)
        with ThreadPoolExecutor(1) as writer:
            waiting = writer.submit(database.transact, put(USD))
            while not other.execute(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            ).fetchall():
                assert not waiting.done()
            own_server.stop(signal.SIGQUIT)
            with pytest.raises(OutcomeUnknown):
                waiting.result()
    own_server.start("synchronous_standby_names=")
    assert database.transact(codes) == ["USD"]
    database.close()


def _wait_for_standby(other, waiting):
    while not other.execute(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    ).fetchall():
        assert not waiting.done()


def test_what_a_restarted_server_shows_is_told_when_its_standby_has_it(own_server, readers):
    database = PostgresDatabase(own_server.dsn(), readers)
    migrate(database)
    with ThreadPoolExecutor(1) as writer:
        with psycopg.connect(own_server.dsn(), autocommit=True) as other:
            other.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
            other.execute("SELECT pg_reload_conf()")
            time.sleep(0.1)
            waiting = writer.submit(database.transact, put(USD))
            _wait_for_standby(other, waiting)
            own_server.stop(signal.SIGQUIT)
        with pytest.raises(OutcomeUnknown):
            waiting.result()
        own_server.start()
        looked_up = writer.submit(database.transact, codes)
        with psycopg.connect(own_server.dsn(), autocommit=True) as other:
            assert other.execute("SELECT code FROM assets").fetchall() == [("USD",)]
            _wait_for_standby(other, looked_up)
            other.execute("ALTER SYSTEM RESET synchronous_standby_names")
            other.execute("SELECT pg_reload_conf()")
        assert looked_up.result(60) == ["USD"]
        assert writer.submit(database.transact, codes).result(60) == ["USD"]
    database.close()


def test_a_role_without_privileges_of_the_server_can_keep_books(postgres_server, readers):
    with fresh_dsn(postgres_server, "template0") as dsn:
        name = conninfo_to_dict(dsn)["dbname"]
        with psycopg.connect(dsn, autocommit=True) as other:
            other.execute(f"CREATE ROLE r_{name} LOGIN")
            other.execute(f"ALTER DATABASE {name} OWNER TO r_{name}")
        database = PostgresDatabase(dsn.replace("user=postgres", f"user=r_{name}"), readers)
        migrate(database)
        database.transact(put(USD))
        assert database.transact(codes) == ["USD"]
        database.close()
        with psycopg.connect(dsn, autocommit=True) as other:
            other.execute(f"REASSIGN OWNED BY r_{name} TO postgres")
            other.execute(f"DROP ROLE r_{name}")


def test_who_is_silent_with_the_lock_loses_it_before_others_give_up(postgres_dsn, readers):
    database = PostgresDatabase(postgres_dsn, readers)
    asked = "SELECT setting FROM pg_settings WHERE name = ?"
    names = ("idle_in_transaction_session_timeout", "lock_timeout")
    silent_ms, patient_ms = (
        int(database.transact(lambda tx, name=name: tx.rows(asked, (name,)))[0][0])
        for name in names
    )
    assert 0 < silent_ms < patient_ms
    database.close()


def test_a_hub_that_is_frozen_in_a_commit_loses_the_lock_to_the_others(postgres_dsn, readers):
    frozen, other = (PostgresDatabase(postgres_dsn, readers) for _ in range(2))
    holds, over = threading.Event(), threading.Event()

    def freeze(tx):
        first = not holds.is_set()
        tx.put(ASSETS, [USD])
        soon = "SELECT set_config('idle_in_transaction_session_timeout', '300ms', false)"
        assert tx.rows(soon if first else "SELECT 1")
        holds.set()
        if first:
            over.wait(60)
        return codes(tx)

    with ThreadPoolExecutor(1) as writer:
        frozen_one = writer.submit(frozen.transact, freeze)
        holds.wait(60)
        other.transact(put(EUR))
        assert other.transact(codes) == ["EUR"]
        over.set()
        assert frozen_one.result(60) == ["EUR", "USD"]  # Anew, on another connection.
    frozen.close()
    other.close()


def test_work_is_done_again_when_the_connection_was_lost_before_the_commit(postgres_dsn, readers):
    database = PostgresDatabase(postgres_dsn, readers)
    runs = []

    def work(tx):
        runs.append(tx.rows("SELECT pg_backend_pid()")[0][0])
        tx.put(ASSETS, [USD])
        if len(runs) == 1:
            with psycopg.connect(postgres_dsn, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", (runs[0],))
        return codes(tx)

    assert database.transact(work) == ["USD"]
    assert len(runs) == 2
    assert database.transact(codes) == ["USD"]
    database.close()


def test_the_commits_of_two_hubs_take_turns(postgres_dsn, readers):
    hubs = [PostgresDatabase(postgres_dsn, readers) for _ in range(2)]

    def count_up(tx):
        tx.put(ASSETS, [AssetRecord("N", 0, tx.rows("SELECT MAX(ledger) FROM assets")[0][0] + 1)])

    hubs[0].transact(put(AssetRecord("N", 0, 0)))

    def many(hub):
        for _ in range(50):
            hub.transact(count_up)

    threads = [threading.Thread(target=many, args=(hub,)) for hub in hubs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert hubs[0].transact(lambda tx: tx.fetch(ASSETS, ["N"])["N"].ledger) == 100
    for hub in hubs:
        hub.close()


def test_two_hubs_that_start_together_migrate_once(postgres_server, readers):
    with fresh_dsn(postgres_server, "template0") as dsn:
        hubs = [PostgresDatabase(dsn, readers) for _ in range(3)]
        with ThreadPoolExecutor(3) as starting:
            applied = [name for names in starting.map(migrate, hubs) for name in names]
        assert sorted(applied) == sorted(name for _, name, _ in migrations())
        assert len(applied) == len(migrations())
        for hub in hubs:
            hub.close()


def waits(caplog) -> list[str]:
    told = [record.getMessage() for record in caplog.records]
    return [line for line in told if line.startswith("books.waiting_for_others")]


def until(holds) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_hub_that_starts_while_another_brings_the_books_forward_waits_and_says_so(
    postgres_server, readers, caplog
):
    newest = migrations()[-1][0]
    with (
        fresh_dsn(postgres_server, "template0") as dsn,
        psycopg.connect(dsn) as other,
        ThreadPoolExecutor(3) as starting,
    ):
        hubs = [PostgresDatabase(dsn, readers) for _ in range(3)]
        hubs[0].transact(lambda tx: apply_up_to(tx, newest - 1))
        hubs[0].transact(lambda tx: tx.run(*A_LEAF))
        for hub in hubs[1:]:  # They would have given up long before it is over.
            hub.transact(lambda tx: tx.rows("SELECT set_config('lock_timeout', '50ms', false)"))
        other.execute("LOCK TABLE migrations IN SHARE MODE")  # So it takes as long as we want.
        first = starting.submit(migrate, hubs[0])
        until(lambda: "books.bringing_forward" in caplog.text)
        late = [starting.submit(migrate, hub, 0.05) for hub in hubs[1:]]
        until(lambda: len(waits(caplog)) >= 6)
        assert not any(one.done() for one in (first, *late))
        other.commit()
        assert first.result(60) == [migrations()[-1][1]]
        assert [one.result(60) for one in late] == [[], []]
        assert waits(caplog)[-1].startswith(f"books.waiting_for_others schema={newest} step=")
        for hub in hubs:
            hub.close()


def test_a_hub_that_starts_while_somebody_only_has_the_lock_gives_up(postgres_dsn, readers, caplog):
    database = PostgresDatabase(postgres_dsn, readers)
    database.transact(lambda tx: tx.rows("SELECT set_config('lock_timeout', '50ms', false)"))
    with psycopg.connect(postgres_dsn) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (int.from_bytes(b"farthing", "big"),))
        with pytest.raises(Unavailable):
            migrate(database)
    assert waits(caplog) == []
    assert migrate(database) == []
    database.close()


def test_a_commit_is_durable_whatever_the_servers_default_is(postgres_dsn, readers):
    with psycopg.connect(postgres_dsn, autocommit=True) as other:
        [(name,)] = other.execute("SELECT current_database()").fetchall()
        other.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    database = PostgresDatabase(postgres_dsn, readers)
    assert database.transact(lambda tx: tx.rows("SHOW synchronous_commit")) == [("on",)]
    database.close()


def test_a_server_that_may_lose_commits_is_refused(own_server, readers):
    own_server.stop(signal.SIGINT)
    own_server.start("fsync=off")
    with pytest.raises(BadConfig) as raised:
        PostgresDatabase(own_server.dsn(), readers)
    assert raised.value.code == "postgresql-not-durable"


def test_a_database_that_is_not_utf8_is_refused(postgres_server, readers):
    with (
        fresh_dsn(postgres_server, "template0 ENCODING 'LATIN1'") as dsn,
        pytest.raises(BadConfig) as raised,
    ):
        PostgresDatabase(dsn, readers)
    assert raised.value.code == "postgresql-encoding"


def test_a_server_that_is_not_there_is_unavailable(tmp_path, readers):
    with pytest.raises(Unavailable) as raised:
        PostgresDatabase(f"host={tmp_path} user=postgres password=hidden", readers)
    assert "hidden" not in str(raised.value)


def test_what_names_no_database_is_refused(readers):
    with pytest.raises(BadConfig) as raised:
        PostgresDatabase("postgresql://host:port:port/x?what=1", readers)
    assert raised.value.code == "malformed-dsn"


@pytest.mark.rule("asvs.12.3.1", on="hub")
@pytest.mark.parametrize(
    ("dsn", "environ", "mode"),
    [
        ("host=db.example dbname=x", {}, "verify-full"),
        ("postgresql://me@10.0.0.7/x", {}, "verify-full"),
        ("hostaddr=10.0.0.7 dbname=x", {}, "verify-full"),
        ("host=localhost,db.example dbname=x", {}, "verify-full"),
        ("dbname=x", {"PGHOST": "db.example"}, "verify-full"),
        ("host=db.example sslmode=require", {}, "require"),
        ("host=db.example", {"PGSSLMODE": "disable"}, None),
        ("service=books", {}, None),
        ("host=localhost dbname=x", {}, None),
        ("host=/var/run/postgresql", {}, None),
        ("dbname=x", {}, None),
    ],
)
def test_a_server_elsewhere_must_show_a_certificate_that_holds(dsn, environ, mode, monkeypatch):
    for name in ("PGHOST", "PGSSLMODE", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert conninfo_to_dict(completed(dsn)).get("sslmode") == mode


def test_a_machine_that_is_gone_is_noticed_at_either_end(own_server, readers):
    port = str(free_port())
    own_server.stop(signal.SIGINT)
    own_server.start("listen_addresses=127.0.0.1", f"port={port}")
    dsn = f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
    told = conninfo_to_dict(completed(dsn))
    assert {name: told[name] for name in told if name.startswith("keepalives")} == {
        "keepalives_idle": "4",
        "keepalives_interval": "2",
        "keepalives_count": "3",
    }
    database = PostgresDatabase(dsn, readers)
    asked = "SELECT setting FROM pg_settings WHERE name LIKE 'tcp_%' ORDER BY name"
    found = [int(setting) for (setting,) in database.transact(lambda tx: tx.rows(asked))]
    assert found == [2, 4, 2, 8000]
    database.close()


async def test_a_key_is_used_once_by_all_hubs_and_old_ones_are_let_go(postgres_dsn, readers):
    first, second = (PostgresDatabase(postgres_dsn, readers) for _ in range(2))
    migrate(first)
    try:
        for number in range(20):
            key = number.to_bytes(16, "big")
            used = [(first, second)[i % 2].use_once(key, 0, 100 + number, 0) for i in range(8)]
            assert sum(await asyncio.gather(*used)) == 1
        for number in range(20, 30):
            assert await second.use_once(number.to_bytes(16, "big"), 0, 1000, over_s=120)
        left = await first.read(lambda tx: tx.rows("SELECT until FROM used_keys ORDER BY until"))
        assert left == [(1000,)] * 10
    finally:
        first.close()
        second.close()
