"""The books: schema, pages or the server's settings, and the second place of heads."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from farthing.cli.looks import Finding, State
from farthing.cli.looks.clock import beside
from farthing.opening import open_to_read
from farthing.services.heads import HeadsFile
from farthing.settings import Config
from farthing.store.database import Database
from farthing.store.migrate import migrations, schema_of
from farthing.threads import Threads

_OURS = "SELECT current_setting('synchronous_commit')"
_TLS = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


def books(config: Config) -> Iterator[Finding]:
    """Look at the books: nothing in them is changed, and nobody who writes is kept waiting."""
    with Threads(1) as readers:
        database = open_to_read(config, readers)
        try:
            yield _schema(database)
            look = _sqlite if database.dialect == "sqlite" else _postgresql
            yield from look(database)
        finally:
            database.close()


def _schema(database: Database) -> Finding:
    schema, known = schema_of(database), migrations()[-1][0]
    if schema > known:
        do = "upgrade this software: it is older than the books"
        return Finding("books", "fail", f"schema {schema}, and {known} is known", do)
    if not schema:
        return Finding("books", "fail", "the database is empty", "run: farthing init")
    later = "" if schema == known else f", {known} at the next start"
    return Finding("books", "ok", f"schema {schema}{later}")


def _asked(database: Database) -> Callable[[str], Any]:
    return lambda sql: next(iter(database.stream(sql)))[0]


def _sqlite(database: Database) -> Iterator[Finding]:
    whole = _asked(database)("PRAGMA quick_check")
    do = "stop the hub, keep a copy of the file, and put a backup back: farthing restore"
    yield Finding("books' pages", "ok" if whole == "ok" else "fail", str(whole), do)


def _postgresql(database: Database) -> Iterator[Finding]:
    ask = _asked(database)
    for setting in ("fsync", "full_page_writes"):
        value = str(ask(f"SELECT current_setting('{setting}')"))
        state: State = "fail" if value == "off" else "ok"
        yield Finding(f"postgresql {setting}", state, value, f"set {setting} = on")
    yield _waits(ask("SELECT current_setting('synchronous_commit')"), database)
    at = ask("SELECT coalesce(host(inet_server_addr()), '')")
    tls = ask(_TLS)
    private = tls or at in ("", "127.0.0.1", "::1")
    seen = f"to {at or 'its socket'}, {'with' if tls else 'without'} TLS"
    do = "take sslmode out of [books] dsn, or set it to verify-full"
    yield Finding("postgresql connection", "ok" if private else "warn", seen, do)
    theirs = float(ask("SELECT extract(epoch FROM clock_timestamp())::float8"))
    yield beside("PostgreSQL", theirs, time.time())


def _waits(servers_own: str, database: Database) -> Finding:
    """Look at what the hub's own connection for writing has, which it sets for itself."""
    [(ours,)] = database.transact(lambda tx: tx.rows(_OURS))
    own = "" if ours == servers_own else f"; the server's own {servers_own} is not used"
    state: State = "ok" if ours in ("on", "remote_apply") else "fail"
    do = "let the hub connect to PostgreSQL itself, without a pooler between"
    return Finding("postgresql synchronous_commit", state, f"{ours}{own}", do)


def heads(config: Config) -> Iterator[Finding]:
    """Look at the heads file, and whether it is on a disk of its own."""
    path = config.path(config.audit.heads_path)
    newest = HeadsFile(path).newest()
    seen = f"newest is commit {newest.number}" if newest else "none yet"
    on_same = config.books.in_file and _device_of(path) == _device_of(
        config.path(config.books.path)
    )
    do = "put [audit] heads_path on another disk: who loses one disk then still has the other"
    yield Finding("heads", "warn" if on_same else "ok", f"{seen}, in {path}", do)


def _device_of(path: Path) -> int:
    return (path if path.exists() else path.parent).stat().st_dev
