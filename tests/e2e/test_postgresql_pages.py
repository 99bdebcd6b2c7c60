"""The pages on PostgreSQL, word for word, on a server of our own."""

import os
import sys
from pathlib import Path

import pytest

from farthing.testing.postgres import PostgresServer, temporary_directory
from tests.newcomer.shell import ROOT, blocks, broken_promises, type_in


@pytest.mark.postgres
@pytest.mark.parametrize("name", ["postgresql", "several-processes"])
def test_what_a_page_on_postgresql_says_is_so(name: str, tmp_path: Path):
    page = ROOT / "docs" / "howto" / f"{name}.md"
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
        done = type_in("\n".join([f'python3 -c "{create}"', *blocks(page)]), tmp_path, found)
        told = done.stdout + done.stderr
        assert done.returncode == 0, told
        assert not broken_promises(page, told), told
    finally:
        server.remove()
