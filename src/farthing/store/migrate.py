"""Bring a database forward to the newest schema; refuse one that is newer than this software."""

from importlib.resources import files

from farthing.errors import BadConfig
from farthing.log_lines import Log
from farthing.store.database import Database, Tx
from farthing.store.others import LOOK_SECONDS, patiently, telling_others
from farthing.store.steps import Told, nobody, sorting_on_disk, take_steps, telling

log = Log("store")

_MIGRATED = {
    "sqlite": "SELECT count(*) FROM sqlite_schema WHERE name = 'migrations'",
    "postgresql": "SELECT count(to_regclass('migrations'))",
}
_SETTLED = {
    "sqlite": "SELECT count(*) FROM pragma_table_info('account_records') WHERE name = 'frozen_by'",
    "postgresql": "SELECT count(*) FROM information_schema.columns WHERE table_name = "
    "'account_records' AND column_name = 'frozen_by' AND table_schema = current_schema()",
}
"""Schema 2 was changed in place twice on its first day; only its last form is one to go on from."""


def migrations() -> list[tuple[int, str, str]]:
    """List every migration: its number, its name and its SQL."""
    found: list[tuple[int, str, str]] = []
    for file in files("farthing.store.migrations").iterdir():
        if file.name.endswith(".sql"):
            number, _, name = file.name.removesuffix(".sql").partition("_")
            found.append((int(number), name, file.read_text()))
    return sorted(found)


def migrate(database: Database, look_seconds: float = LOOK_SECONDS) -> list[str]:
    """Apply the migrations that are missing, each in a transaction of its own, and name them.

    Units:  while another hub does it, this one looks every `look_seconds` how far that is.
    Raises: BadConfig `database-too-new`, `database-too-old`.
    """
    known = migrations()
    done = patiently(database, _done, look_seconds)
    newest = max(done, default=0)
    if newest > known[-1][0]:
        raise BadConfig(
            "database-too-new",
            f"the database has schema {newest} and this software knows {known[-1][0]}; upgrade it",
        )
    check_settled(database)
    applied: list[str] = []
    for number, name, sql in known:
        if number in done:
            continue
        leaves = patiently(database, _leaves, look_seconds) if newest else 0
        if leaves:
            log.warning("books.bringing_forward", schema=number, leaves=leaves)
            is_applied = _apply_to_large(database, number, sql, look_seconds)
        else:
            is_applied = database.transact(lambda tx, n=number, s=sql: _apply(tx, n, s))
        if is_applied:
            applied.append(name)
    return applied


def apply_up_to(tx: Tx, newest: int) -> None:
    """Make the schema as it was at one migration, in a database that is empty."""
    _prepare(tx)
    for number, _, sql in migrations():
        if number <= newest:
            _apply(tx, number, sql)


def schema_of(database: Database) -> int:
    """Tell which schema a database has, without writing to it; 0 if it has none yet."""
    if next(iter(database.stream(_MIGRATED[database.dialect])))[0] == 0:
        return 0
    return next(iter(database.stream("SELECT coalesce(max(number), 0) FROM migrations")))[0]


def check_settled(database: Database) -> None:
    """Refuse books that were begun by a draft of schema 2, without writing to them.

    Raises: BadConfig `database-too-old`.
    """
    if schema_of(database) < 2 or next(iter(database.stream(_SETTLED[database.dialect])))[0]:
        return
    raise BadConfig(
        "database-too-old",
        "these books were begun by a draft of 22 November 2026, whose history reads differently,"
        " and cannot be brought forward",
    )


def check_current(database: Database) -> None:
    """Refuse books of another schema than this software reads, without writing to them.

    Raises: BadConfig `database-too-new`, `database-too-old`, `database-not-migrated`.
    """
    check_settled(database)
    found, newest = schema_of(database), migrations()[-1][0]
    if found > newest:
        detail = f"the books have schema {found} and this software knows {newest}"
        raise BadConfig("database-too-new", detail)
    if found < newest:
        detail = f"the books have schema {found} and this software reads {newest}"
        raise BadConfig("database-not-migrated", detail)


def _leaves(tx: Tx) -> int:
    return tx.rows("SELECT COALESCE(MAX(number), 0) FROM leaves")[0][0]


def _done(tx: Tx) -> set[int]:
    _prepare(tx)
    return {row[0] for row in tx.rows("SELECT number FROM migrations")}


def _prepare(tx: Tx) -> None:
    tx.run("CREATE TABLE IF NOT EXISTS migrations (number BIGINT PRIMARY KEY)")


def _apply_to_large(database: Database, number: int, sql: str, look_seconds: float) -> bool:
    """Apply a migration to books that have something in them, be it much."""
    with sorting_on_disk(database), telling() as told:
        return patiently(
            database,
            lambda tx: _apply(tx, number, sql, telling_others(tx, told)),
            look_seconds,
        )


def _apply(tx: Tx, number: int, sql: str, told: Told = nobody) -> bool:
    if tx.rows("SELECT 1 FROM migrations WHERE number = ?", (number,)):
        return False  # Another hub process was faster.
    take_steps(tx, number, sql, told)
    tx.run("INSERT INTO migrations (number) VALUES (?)", (number,))
    return True
