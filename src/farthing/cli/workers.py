"""Several workers for one hub: processes that serve one port, each with books of its own to write.

That is for PostgreSQL, where every process writes for itself.
"""

import structlog

from farthing.app import key_ring, passphrase_of
from farthing.cli.crew import Crew
from farthing.cli.hub_run import serve_hub
from farthing.cli.places import Places, local_socket
from farthing.cli.running import run
from farthing.cli.seats import Seat
from farthing.errors import BadConfig, FarthingError
from farthing.keys import fingerprint
from farthing.settings import Config
from farthing.terminal.exits import Exit
from farthing.terminal.talk import fail

log = structlog.get_logger()

WORKERS_MAX = 16
"""As many as may note their heads in one file."""


def check_workers(config: Config) -> None:
    """Refuse several workers where one process alone may have the books.

    Raises: BadConfig `workers-need-postgresql`, `passphrase-needed`.
    """
    if config.server.workers == 1:
        return
    if config.books.in_file:
        detail = "these books are one process's; several workers need [books] engine postgresql"
        raise BadConfig("workers-need-postgresql", detail)
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

        def work(seat: Seat) -> int:
            serving = serve_hub(
                config, places, accept_rollback=accept_rollback, seat=seat, local=local
            )
            try:
                run(serving)
            except FarthingError as error:
                return fail(error)
            return Exit.OK

        code = Crew(config.server.workers, work, ready).run()
    if code == Exit.OK:  # Else it never started.
        log.info("hub.stopped")
    return Exit(code)
