"""`farthing backup`, `restore` and `upgrade-check`: copies of the books that prove themselves."""

import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from farthing.bounded import read_file
from farthing.cli.audit_run import audit_books, progress_bar
from farthing.cli.local import is_running
from farthing.cli.options import ConfigOption
from farthing.clock import write_time
from farthing.codec import to_base64url
from farthing.config import load_config
from farthing.errors import BadConfig, Conflict
from farthing.folders import private_folder
from farthing.hub_keys import KeyRing
from farthing.keys import fingerprint
from farthing.opening import key_ring
from farthing.passphrases import told_passphrase
from farthing.sealing import PASSPHRASE_BYTES_MIN
from farthing.services import copies
from farthing.services.heads import FILE_BYTES_MAX, HeadsFile
from farthing.settings import AuditSettings, BooksSettings, Config
from farthing.store.migrate import migrate, migrations
from farthing.store.sqlite import SqliteDatabase
from farthing.store.sqlite_copy import copy_books
from farthing.terminal.exits import Exit
from farthing.terminal.frame import Answer
from farthing.terminal.talk import confirm, say
from farthing.threads import Threads

PassphraseFile = Annotated[
    Path | None, typer.Option(help="A file with the passphrase for the hub's keys.")
]


def backup(
    file: Annotated[Path, typer.Argument(help="Where to: books-2027-01-01.backup")],
    *,
    passphrase_file: PassphraseFile = None,
    config: ConfigOption = None,
) -> Any:
    """Copy the books into one file, while the hub runs; with its keys only under a passphrase.

    Example: farthing backup /mnt/other/books.backup --passphrase-file ~/phrase
    """
    loaded = _on_sqlite(load_config(config))
    ring = key_ring(loaded)
    if not ring.exists:
        raise BadConfig("hub-not-initialised", "there is nothing to back up here")
    copies.check_target(file, fingerprint(ring.root_public()))
    sealed = b""
    if passphrase_file is not None:
        sealed = copies.seal(_held(ring), _passphrase(passphrase_file))
    with _beside(file) as folder:
        # Heads first: each of them is then surely in the books that are copied after them.
        heads = _heads_of(loaded)
        with progress_bar("copying") as on_progress:
            copy_books(_books(loaded), folder / copies.BOOKS, on_progress)
        manifest = _manifest(folder / copies.BOOKS, ring.root_public())
        copies.write_copy(file, manifest, folder / copies.BOOKS, heads, sealed)
    if sealed and not ring.root_is_here:
        say("The root key is not in it: it is kept elsewhere.")
    if not sealed:
        say("The keys are not in it: keep a copy of them elsewhere, or give --passphrase-file.")
    told = msgspec.to_builtins(manifest) | {"file": str(file), "keys": bool(sealed)}
    return Answer(told, lambda t: [f"{t['file']}: {t['commits']} commits of the hub {t['hub']}"])


async def restore(
    file: Annotated[Path, typer.Argument(help="The backup.")],
    *,
    verify: Annotated[bool, typer.Option(help="Audit the copy before it is put in place.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Put what is there aside.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before that.")] = False,
    passphrase_file: PassphraseFile = None,
    config: ConfigOption = None,
) -> Any:
    """Put a backup in place, after an audit of all of it; the hub must be stopped.

    A backup of an earlier version is brought forward first.

    Example: farthing restore books.backup --passphrase-file ~/phrase
    """
    loaded = _on_sqlite(load_config(config))
    if is_running(loaded):
        raise BadConfig("hub-running", "stop the hub before its books are put back")
    if not file.is_file():
        raise BadConfig("backup-missing", f"there is no file {file}")
    _make_way(loaded, force, yes)
    with _beside(_books(loaded)) as folder:
        manifest, sealed = copies.read_copy(file, folder)
        _migrated(folder / copies.BOOKS)
        if verify:
            report = await audit_books(_staged(folder), manifest.root_key)
            if report.code is not Exit.OK:
                return report
            found = _manifest(folder / copies.BOOKS, manifest.root_key)
            if (found.commits, found.head) != (manifest.commits, manifest.head):
                raise BadConfig("backup-changed", "the books are not those the backup was made of")
        keys = copies.unseal(sealed, _passphrase(passphrase_file)) if passphrase_file else {}
        lost = _put_in_place(folder, loaded, keys)
    if not key_ring(loaded).exists:
        say(f"Put the hub's keys into {key_ring(loaded).folder} before you start it.")
    if lost:
        say(f"{lost} commits were made after this backup and are lost. Start once with:")
        say("  farthing serve --accept-rollback")
    told = {"hub": manifest.hub, "commits": manifest.commits, "lost": lost, "verified": verify}
    return Answer(told, lambda t: [f"restored: {t['commits']} commits of the hub {t['hub']}"])


async def upgrade_check(config: ConfigOption = None) -> Any:
    """Try this version's migrations on a copy of the books, and audit the copy.

    Example: farthing upgrade-check
    """
    loaded = _on_sqlite(load_config(config))
    books = _books(loaded)
    known = migrations()
    schema = _schema(books)
    if schema > known[-1][0]:
        raise BadConfig(
            "database-too-new",
            f"the books have schema {schema} and this software knows {known[-1][0]}",
        )
    free, needed = shutil.disk_usage(books.parent).free, 2 * books.stat().st_size
    if free < needed:
        raise BadConfig("disk-too-full", f"a trial needs {needed} bytes, and {free} are free")
    with _beside(books) as folder:
        (folder / copies.HEADS).write_bytes(_heads_of(loaded))
        with progress_bar("copying") as on_progress:
            copy_books(books, folder / copies.BOOKS, on_progress)
        applied = _migrated(folder / copies.BOOKS)
        report = await audit_books(_staged(folder), key_ring(loaded).root_public())
    if report.code is not Exit.OK:
        return report
    told = {"schema": schema, "newest": known[-1][0], "would_apply": applied, "audit": "ok"}
    what = ", ".join(applied) or "nothing"
    return Answer(told, lambda t: [f"schema {schema} → {t['newest']}: {what}; the copy audits ok"])


def _migrated(books: Path) -> list[str]:
    with Threads(1) as readers:
        database = SqliteDatabase(books, readers)
        try:
            return migrate(database)
        finally:
            database.close()


def _on_sqlite(config: Config) -> Config:
    if config.books.engine == "tigerbeetle":
        detail = (
            "the cluster's replicas are the copies of the money, and an older copy of the records"
            " does not fit it: mirror their disk, or keep them in PostgreSQL with a standby"
        )
        raise BadConfig("backup-of-cluster", detail)
    if config.books.engine != "sqlite":
        detail = "copy PostgreSQL with pg_dump, and the heads file and keys beside it"
        raise BadConfig("backup-of-postgresql", detail)
    return config


def _books(config: Config) -> Path:
    books = config.path(config.books.path)
    private_folder(books.parent)
    return books


def _heads_of(config: Config) -> bytes:
    path = config.path(config.audit.heads_path)
    older = path.with_name(path.name + ".1")
    raw = b"".join(read_file(p, FILE_BYTES_MAX) for p in (older, path) if p.exists())
    return raw[: raw.rfind(b"\n") + 1]


@contextmanager
def _beside(file: Path) -> Generator[Path]:
    """Give a private folder on the same disk as a file, gone afterwards."""
    with tempfile.TemporaryDirectory(dir=file.absolute().parent, prefix=".farthing-") as folder:
        yield Path(folder)


def _staged(folder: Path) -> Config:
    return Config(
        books=BooksSettings(path=copies.BOOKS),
        audit=AuditSettings(heads_path=copies.HEADS),
        folder=str(folder),
    )


def _ask_books(books: Path, sql: str) -> tuple[Any, ...]:
    with Threads(1) as readers:
        database = SqliteDatabase(books, readers, read_only=True)
        try:
            return next(iter(database.stream(sql)), ())
        finally:
            database.close()


def _schema(books: Path) -> int:
    return _ask_books(books, "SELECT max(number) FROM migrations")[0]


def _manifest(books: Path, root_key: str) -> copies.Manifest:
    last = _ask_books(books, "SELECT number, digest FROM commits ORDER BY number DESC LIMIT 1")
    return copies.Manifest(
        format=copies.FORMAT,
        version=version("farthing"),
        hub=fingerprint(root_key),
        root_key=root_key,
        schema=_schema(books),
        commits=last[0] if last else 0,
        head=to_base64url(last[1]) if last else "",
        made_at=write_time(int(time.time())),
    )


def _held(ring: KeyRing) -> dict[str, bytes]:
    """Give the keys as they lie there: those under a passphrase stay under it."""
    public = ring.folder / "root.pub"
    files = [*ring.files(), *([public] if public.exists() else [])]
    return {file.name: read_file(file) for file in files}


def _passphrase(file: Path) -> bytes:
    text = told_passphrase({}, file) or b""
    if len(text) < PASSPHRASE_BYTES_MIN:
        detail = f"{file} needs {PASSPHRASE_BYTES_MIN} bytes or more"
        raise BadConfig("passphrase-too-short", detail)
    return text


def _make_way(config: Config, force: bool, yes: bool) -> None:
    books = _books(config)
    if not books.exists():
        return
    if not force:
        detail = f"there are books at {books}; --force puts them aside"
        raise Conflict("books-exist", detail)
    question = f"Put {books} aside and the backup in its place?"
    if not yes and not confirm(question, instead="--yes"):
        raise BadConfig("not-confirmed", "nothing was changed")


def _put_in_place(folder: Path, config: Config, keys: dict[str, bytes]) -> int:
    """Move the copy to where the hub looks; give how many noted commits it does not have."""
    books, heads = _books(config), config.path(config.audit.heads_path)
    aside = f".before-{int(time.time())}"
    for path in (books, books.with_name(books.name + "-wal"), books.with_name(books.name + "-shm")):
        if path.exists():
            path.rename(path.with_name(path.name + aside))
    before, after = HeadsFile(heads).newest(), HeadsFile(folder / copies.HEADS).newest()
    lost = before.number - (after.number if after else 0) if before else 0
    if lost <= 0:
        shutil.move(folder / copies.HEADS, heads)
    (folder / copies.BOOKS).replace(books)
    ring = key_ring(config)
    private_folder(ring.folder)
    for name, raw in keys.items():
        path = ring.folder / Path(name).name
        path.touch(mode=0o600)
        path.write_bytes(raw)
    return max(0, lost)
