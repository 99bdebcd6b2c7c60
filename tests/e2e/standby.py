"""A PostgreSQL and its synchronous standby, which can take over."""

import time
from pathlib import Path

import psycopg

from farthing.testing.postgres import PostgresServer, _for_everybody, _run, binaries

_PATIENCE_SECONDS = 60


class Standby(PostgresServer):
    """A server that follows another one until it is promoted."""

    def follow(self, primary: PostgresServer) -> None:
        """Copy the primary's cluster, start on the copy, and have each commit wait for it."""
        self.directory.chmod(0o777)  # Whoever runs the servers makes the copy.
        command = ["pg_basebackup", "--checkpoint=fast", "--wal-method=stream", "--no-sync"]
        command += ["--write-recovery-conf", "-d", f"{primary.dsn()} application_name=standby"]
        self._call(*command, "-D", self.directory / "cluster")
        self.start()
        with psycopg.connect(primary.dsn(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            connection.execute("SELECT pg_reload_conf()")
            _wait_until_synchronous(connection)

    def promote(self) -> None:
        """Take over."""
        self._call("pg_ctl", "-w", "-D", self.directory / "cluster", "promote")

    def _call(self, program: str, *words: str | Path) -> None:
        _run([_for_everybody(binaries(), self.directory) / program, *words])


def _wait_until_synchronous(connection: psycopg.Connection) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    asked = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
    while not connection.execute(asked).fetchall():
        assert time.monotonic() < until
        time.sleep(0.02)


def dsn_of_both(primary: PostgresServer, standby: PostgresServer) -> str:
    """Name both as a hub does that is to find the one which can be written to."""
    hosts = f"{primary.directory},{standby.directory}"
    return f"host={hosts} user=postgres dbname=postgres target_session_attrs=read-write"
