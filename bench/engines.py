"""A new hub on either engine, in a folder that is deleted afterwards."""

import contextlib
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apsw

from farthing.config import load_config
from farthing.opening import key_ring
from farthing.settings import Config

ENGINES = ("sqlite", "postgresql")


@contextlib.contextmanager
def new_hub(engine: str, place: Path | None = None) -> Iterator[Config]:
    """Give the configuration of a hub that has keys and nothing else."""
    folder = Path(tempfile.mkdtemp(prefix="farthing-bench-", dir=place))
    try:
        with contextlib.ExitStack() as stack:
            dsn = stack.enter_context(_postgres()) if engine == "postgresql" else ""
            yield configure(folder, engine, dsn)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def configure(folder: Path, engine: str, dsn: str) -> Config:
    """Give a folder the configuration and the keys of a new hub."""
    file = folder / "farthing.toml"
    file.write_text(f'[books]\nengine = "{engine}"\ndsn = "{dsn}"\n\n[log]\nlevel = "warning"\n')
    config = load_config(file, {})
    config.path("keys").mkdir()
    key_ring(config).create()
    return config


@contextlib.contextmanager
def _postgres() -> Iterator[str]:
    from farthing.testing.postgres import PostgresServer, temporary_directory  # noqa: PLC0415

    place = temporary_directory()
    server = PostgresServer(place / "pg")
    server.start()
    try:
        yield server.dsn()
    finally:
        server.stop(signal.SIGINT)
        shutil.rmtree(place, ignore_errors=True)


def config_file(config: Config) -> Path:
    """Name the file that the hub's process reads."""
    return config.path("farthing.toml")


def commits_made(config: Config) -> int:
    """Count the commits in the books, from outside."""
    question = "SELECT coalesce(max(number), 0) FROM commits"
    if config.books.engine == "postgresql":
        import psycopg  # noqa: PLC0415

        with psycopg.connect(config.books.dsn) as connection:
            row = connection.execute(question).fetchone()
            return int(row[0]) if row else 0
    flags = apsw.SQLITE_OPEN_READONLY
    with contextlib.closing(apsw.Connection(str(config.path(config.books.path)), flags)) as file:
        return int(file.execute(question).fetchall()[0][0])
