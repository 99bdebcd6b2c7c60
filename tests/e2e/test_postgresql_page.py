"""The page on PostgreSQL, word for word, on a server of our own."""

import os
import sys
from pathlib import Path

import pytest

from farthing.testing.postgres import PostgresServer, temporary_directory
from tests.newcomer.shell import ROOT, blocks, broken_promises, type_in

PAGE = ROOT / "docs" / "howto" / "postgresql.md"


@pytest.mark.postgres
def test_what_the_page_on_postgresql_says_is_so(tmp_path: Path):
    place = temporary_directory()
    server = PostgresServer(place / "pg")
    server.start()
    try:
        found = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PGHOST": str(server.directory),
            "PGUSER": "postgres",
        }
        create = "import psycopg; psycopg.connect(autocommit=True, dbname='postgres')"
        create += ".execute('CREATE DATABASE farthing')"
        done = type_in("\n".join([f'python3 -c "{create}"', *blocks(PAGE)]), tmp_path, found)
        told = done.stdout + done.stderr
        assert done.returncode == 0, told
        assert not broken_promises(PAGE, told), told
    finally:
        server.remove()
