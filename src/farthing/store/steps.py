"""The statements of a migration, one after the other, and a long copy in pieces: so it is heard of.

A copy is a statement `INSERT INTO … SELECT key, … FROM … ORDER BY key`, whose key is indexed in
both tables. In pieces it writes the same rows in the same order.
"""

import re
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from farthing.log_lines import Log
from farthing.store.database import Database, Tx

log = Log("store")

_COPY = re.compile(r"(INSERT INTO (\w+) SELECT (\w+),.* FROM (\w+)) ORDER BY (?:\3|1)", re.DOTALL)
_ROWS = 20_000
_TOLD_SECONDS = 5.0
_POSTGRES = (("INTEGER PRIMARY KEY", "BIGINT PRIMARY KEY"), ("BLOB", "BYTEA"))


class Forward(NamedTuple):
    """How far a migration is. Shape: both numbers of rows are 0 where none are copied."""

    schema: int
    step: int
    steps: int
    rows: int = 0
    rows_in_all: int = 0


Told = Callable[[Forward], None]


def statements(sql: str, dialect: str) -> list[str]:
    """Give the statements of a migration as one engine has them."""
    if dialect == "postgresql":
        for sqlite, postgres in _POSTGRES:
            sql = sql.replace(sqlite, postgres)
    lines = [line for line in sql.splitlines() if not line.startswith("--")]
    found = "\n".join(lines).split(";\n")
    return [statement.strip().removesuffix(";") for statement in found if statement.strip()]


def take_steps(tx: Tx, schema: int, sql: str, told: Told, piece: int = _ROWS) -> None:
    """Run a migration; tell before each statement, and after each piece of a copy, how far it is.

    Units: a `piece` is so many rows.
    """
    steps = statements(sql, tx.dialect)
    for step, statement in enumerate(steps, 1):
        at = Forward(schema, step, len(steps))
        told(at)
        for rows, rows_in_all in _run(tx, statement, piece):
            told(at._replace(rows=rows, rows_in_all=rows_in_all))


def _run(tx: Tx, statement: str, piece: int) -> Iterator[tuple[int, int]]:
    copy = _COPY.fullmatch(statement)
    if copy is None:
        tx.run(statement)
        return
    insert, target, key, source = copy.groups()
    total, done = tx.rows(f"SELECT COUNT(*) FROM {source}")[0][0], 0  # noqa: S608 - our own names
    ordered = f"ORDER BY {source}.{key} LIMIT {piece}"
    while done < total:
        if done == 0:
            tx.run(f"{insert} {ordered}")
        else:
            [newest] = tx.rows(f"SELECT MAX({key}) FROM {target}")  # noqa: S608
            tx.run(f"{insert} WHERE {source}.{key} > ? {ordered}", newest)
        done = min(done + piece, total)
        yield done, total


@contextmanager
def sorting_on_disk(database: Database) -> Generator[None]:
    """Have SQLite sort in files beside the books: in memory, ten million rows take gigabytes."""
    if database.dialect != "sqlite":
        yield
        return
    database.peek(_sort_in_files)  # No transaction is open: within one it would be refused.
    try:
        yield
    finally:
        database.peek(_sort_in_memory)


def _sort_in_files(tx: Tx) -> None:
    folder = str(Path(tx.rows("PRAGMA database_list")[0][2]).parent).replace("'", "''")
    tx.run(f"PRAGMA temp_store_directory = '{folder}'")
    tx.run("PRAGMA temp_store = file")


def _sort_in_memory(tx: Tx) -> None:
    tx.run("PRAGMA temp_store = memory")
    tx.run("PRAGMA temp_store_directory = ''")


@contextmanager
def telling(every_seconds: float = _TOLD_SECONDS) -> Generator[Told]:
    """Write a line to the log now and then, of how far it is: one statement may take minutes."""
    newest: list[Forward] = []
    over = threading.Event()

    def tell() -> None:
        while not over.wait(every_seconds):
            at = newest[-1]
            log.warning(
                "books.coming_forward",
                schema=at.schema,
                step=at.step,
                steps=at.steps,
                rows=at.rows,
                rows_in_all=at.rows_in_all,
            )

    def told(at: Forward) -> None:
        newest[:] = [at]
        if not beside.is_alive():
            beside.start()

    beside = threading.Thread(target=tell, name="farthing-migration", daemon=True)
    try:
        yield told
    finally:
        over.set()


def nobody(_at: Forward) -> None:
    """Tell nobody: there is nothing that takes its time."""
