"""Several workers for one hub: processes that serve one port.

On PostgreSQL every one of them writes for itself; on SQLite one process writes for all.
"""

import contextlib
import socket
import time

import structlog

from farthing.books.door import Door
from farthing.cli.crew import Crew, Writer
from farthing.cli.hub_run import PAUSE_SECONDS, TRIES, serve_hub
from farthing.cli.places import Places, local_socket
from farthing.cli.running import run
from farthing.cli.seats import Seat
from farthing.errors import BadConfig, FarthingError, Unavailable
from farthing.keys import fingerprint
from farthing.opening import key_ring, passphrase_of
from farthing.settings import Config
from farthing.shared_writer import write_for_several
from farthing.store.sqlite import take_lock
from farthing.terminal.exits import Exit
from farthing.terminal.talk import fail

log = structlog.get_logger()

WORKERS_MAX = 16
"""As many as may note their heads in one file."""


def check_workers(config: Config) -> None:
    """Refuse several workers where they could not all begin, or nobody may write for them.

    Raises: BadConfig `workers-need-postgresql`, `workers-need-writer`, `passphrase-needed`.
    """
    if config.server.workers == 1:
        return
    if config.books.engine == "tigerbeetle" and config.books.in_file:
        detail = "with a cluster, several workers need their records in PostgreSQL ([books] dsn)"
        raise BadConfig("workers-need-postgresql", detail)
    if config.books.engine == "sqlite" and config.books.own_process == "never":
        detail = "several workers need a process that writes SQLite's books for all of them"
        raise BadConfig("workers-need-writer", detail)
    ring = key_ring(config)
    if ring.exists and ring.protected and passphrase_of(config).told() is None:
        detail = "several workers cannot all ask at the terminal; name a file with the passphrase"
        raise BadConfig("passphrase-needed", detail)


def serve_with_workers(config: Config, places: Places, *, accept_rollback: bool) -> Exit:
    """Start the workers, and give the exit code when all have ended."""
    hub = fingerprint(key_ring(config).root_public())

    def ready() -> None:
        log.info("hub.started", hub=hub, url=config.server.url())

    with local_socket(config) as local:
        local.listen()  # Commands wait here while a worker is started again.
        door = _open_door(config)

        def work(seat: Seat) -> int:
            serving = serve_hub(
                config, places, accept_rollback=accept_rollback, seat=seat, local=local, door=door
            )
            try:
                run(serving)
            except FarthingError as error:
                return fail(error)
            return Exit.OK

        writer = None if door is None else _writer(door, places, local)
        code = Crew(config.server.workers, work, ready, writer).run()
    if code == Exit.OK:  # Else it never started.
        log.info("hub.stopped")
    return Exit(code)


def _open_door(config: Config) -> Door | None:
    """Take the lock of SQLite's books for all processes of this hub, and open their way to who
    writes; wait for a command that is just using them.

    Raises: Unavailable `store-locked`.
    """
    if config.books.engine != "sqlite":
        return None
    path = config.path(config.books.path)
    for _ in range(TRIES):
        with contextlib.suppress(Unavailable):
            return Door(take_lock(path))
        time.sleep(PAUSE_SECONDS)
    return Door(take_lock(path))


def _writer(door: Door, places: Places, local: socket.socket) -> Writer:
    def write() -> None:
        for one in (places.public, places.metrics, local):
            if one is not None:
                one.close()  # Who serves no longer must be gone for who asks.
        write_for_several(door.taken_in(), door.lock)

    return Writer(write, door.shut)
