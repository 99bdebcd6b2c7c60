"""`farthing books migrate`: the books from one engine to another, verified on both sides."""

import contextlib
import secrets
from collections.abc import Generator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from farthing.books.cluster import Cluster
from farthing.cli.audit_run import audit_books, progress_bar
from farthing.cli.local import is_running
from farthing.cli.options import ConfigOption
from farthing.config import load_config
from farthing.errors import BadConfig
from farthing.folders import private_folder
from farthing.opening import key_ring, open_cluster, open_database
from farthing.services.moving import (
    Sheet,
    check_same,
    copy_tables,
    post_all,
    sheet_of,
    sheet_of_cluster,
)
from farthing.settings import Config
from farthing.store.closing import close_books, reopen_books
from farthing.store.database import Database
from farthing.store.sqlite_copy import copy_books
from farthing.terminal.exits import Exit
from farthing.terminal.frame import Answer, command
from farthing.threads import Threads

_WAYS = (("sqlite", "postgresql"), ("sqlite", "tigerbeetle"), ("postgresql", "tigerbeetle"))

books_app = typer.Typer(help="The books.", no_args_is_help=True)


@command(books_app, "migrate")
async def migrate(
    to: Annotated[Path, typer.Argument(help="A farthing.toml whose [books] says where to.")],
    *,
    config: ConfigOption = None,
) -> Any:
    """Move the books from SQLite to PostgreSQL or TigerBeetle, or on; all hubs must be stopped.

    They are audited before and after, and what they add up to is compared. The books that are
    moved are left as they are; those in PostgreSQL take nothing more from any hub.

    Example: farthing books migrate postgres.toml
    """
    old, new = load_config(config), load_config(to, {})
    _check(old, new)
    root = key_ring(old).root_public()
    report = await audit_books(old, root)
    if report.code is not Exit.OK:
        return report
    with _closed(old) as undoing:
        before, after = _moved(old, new)
        check_same(before, after)
        report = await audit_books(_beside(old, new), root)
        if report.code is not Exit.OK:
            return report
        undoing.pop_all()
    told = {"before": msgspec.to_builtins(before._asdict()), "audit": "ok"}
    told["after"] = msgspec.to_builtins(after._asdict())
    return Answer(
        told, lambda _: [*_lines(before), "the same on both sides; the new books audit ok"]
    )


@command(books_app, "reopen")
def reopen(config: ConfigOption = None) -> Any:
    """Let hubs write again to books in PostgreSQL whose move was given up.

    Whatever was paid where they were moved to is not in them: nobody may have paid there.

    Example: farthing books reopen
    """
    with Threads(1) as readers, _opened(load_config(config), readers) as books:
        reopened = books.transact(reopen_books)
    told = "the books take payments again" if reopened else "the books were open"
    return Answer({"reopened": reopened}, lambda _: [told])


@contextlib.contextmanager
def _closed(config: Config) -> Generator[contextlib.ExitStack]:
    """Let no hub write to the books while they are moved; whoever has moved them drops the undoing.

    Shape: books that were closed before stay so, as a move that is done may be tried once more.
    """
    with Threads(1) as readers, contextlib.ExitStack() as opened, contextlib.ExitStack() as undoing:
        if not config.books.in_file:
            books = opened.enter_context(_opened(config, readers))
            if books.transact(close_books):
                undoing.callback(books.transact, reopen_books)
        yield undoing


def _check(old: Config, new: Config) -> None:
    """Refuse what cannot be moved.

    Raises: BadConfig `hub-not-initialised`, `hub-running`, `books-cannot-move`.
    """
    if not key_ring(old).exists:
        raise BadConfig("hub-not-initialised", f"there is no hub in {old.folder}")
    if is_running(old):
        raise BadConfig("hub-running", "stop the hub before its books are moved")
    ways = (old.books.engine, new.books.engine)
    if ways not in _WAYS or (ways[0] == "postgresql" and new.books.in_file):
        detail = "books are moved from SQLite to PostgreSQL or TigerBeetle, and on from PostgreSQL"
        raise BadConfig("books-cannot-move", f"{detail} to TigerBeetle with another dsn")
    if not new.books.in_file and old.books.dsn == new.books.dsn:
        detail = "name another database in [books] dsn: the old books stay as they are"
        raise BadConfig("books-cannot-move", detail)


def _moved(old: Config, new: Config) -> tuple[Sheet, Sheet]:
    """Move, and add both sides up."""
    with Threads(1) as readers, _opened(old, readers) as source:
        before = source.transact(sheet_of)
        if new.books.in_file:
            _copy_file(old, new)
        else:
            with _opened(new, readers) as target:
                _copy_rows(source, target, before, again=new.books.engine == "tigerbeetle")
                copied = target.transact(sheet_of)
            if new.books.engine == "postgresql":
                return before, copied
    with Threads(1) as readers, _opened(new, readers) as target, _cluster(new) as cluster:
        with progress_bar("posting") as on_moved:
            post_all(target, cluster, secrets.randbits(128), on_moved)
        return before, sheet_of_cluster(cluster)


def _copy_rows(source: Database, target: Database, before: Sheet, *, again: bool) -> None:
    """Copy all rows; those that are there may be of a move that was broken off, if `again`.

    Raises: BadConfig `target-not-empty`.
    """
    if again and target.transact(sheet_of) == before:
        return
    with progress_bar("copying") as on_moved:
        copy_tables(source, target, on_moved)


def _copy_file(old: Config, new: Config) -> None:
    """Copy the file of the books; one that is there is of a move that was broken off.

    Raises: BadConfig `books-cannot-move`.
    """
    source, target = old.path(old.books.path), new.path(new.books.path)
    if target.exists() and target.samefile(source):
        detail = "name another [books] path for the records: the old books stay as they are"
        raise BadConfig("books-cannot-move", detail)
    if not target.exists():
        private_folder(target.parent)
        with progress_bar("copying") as on_progress:
            copy_books(source, target, on_progress)


@contextlib.contextmanager
def _opened(config: Config, readers: Threads) -> Generator[Database]:
    database = open_database(config, readers)
    try:
        yield database
    finally:
        database.close()


@contextlib.contextmanager
def _cluster(config: Config) -> Generator[Cluster]:
    cluster = open_cluster(config)
    if cluster is None:
        raise BadConfig("books-cannot-move", "no cluster is configured")
    try:
        yield cluster
    finally:
        cluster.close()


def _beside(old: Config, new: Config) -> Config:
    """Give the new books with the heads that were noted of the old ones."""
    heads = msgspec.structs.replace(
        new.audit, heads_path=str(old.path(old.audit.heads_path).absolute())
    )
    return msgspec.structs.replace(new, audit=heads)


def _lines(sheet: Sheet) -> list[str]:
    return [
        f"ledger {b.ledger}: {b.accounts} accounts, debits {b.debits_posted} and"
        f" {b.debits_pending} held, credits {b.credits_posted} and {b.credits_pending} held"
        for b in sheet.balances
    ] + [f"{sheet.transfers} transfers"]
