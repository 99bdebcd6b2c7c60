"""What the parts of a running hub tell who watches, gathered when somebody looks."""

import shutil
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import NamedTuple

import structlog
from cryptography import x509

from farthing.books.sql import QUEUE_MAX, SqlBooks
from farthing.bounded import read_file
from farthing.clock import NS
from farthing.errors import Malformed
from farthing.observe.hub_watch import HubWatch
from farthing.services.audit_note import read_note
from farthing.services.desk import Desk
from farthing.services.model_shelf import ROLES
from farthing.services.scoring import Scoring
from farthing.settings import Config
from farthing.store.standing import Standing, read_standing
from farthing.web.metrics_page import write_page
from farthing.worker import Worker

log = structlog.get_logger()

ROOM_BYTES_MIN = 8 * 1024 * 1024
"""With less room than this on the disk of the books, payments are sent elsewhere."""


class Faults:
    """Heads that were not noted, told and counted."""

    def __init__(self) -> None:
        self.heads = 0

    def heads_not_noted(self, fault: OSError) -> None:
        """Tell of a head that is not in its second place."""
        self.heads += 1
        hint = "payments go on; free the disk or mend it"
        log.error("heads.not_noted", why=str(fault), hint=hint)


class Observed(NamedTuple):
    """The parts of a hub that tell."""

    watch: HubWatch
    desk: Desk
    worker: Worker
    books: SqlBooks
    faults: Faults
    scoring: Scoring | None = None

    async def page(self) -> bytes:
        """Write the page of metrics."""
        database = self.desk.ctx.database
        standing = await database.read(lambda tx: read_standing(tx, database.dialect))
        self._books(standing)
        self._parts()
        self._models()
        for name, value, *labels in disk_figures(self.desk.config):
            self.watch.board.put(name, value, *labels)
        return await write_page(self.watch.board)

    def _books(self, standing: Standing) -> None:
        put = self.watch.board.put
        ctx, config = self.desk.ctx, self.desk.config
        overdue = ctx.clock() - standing.hold_ends_ns if standing.holds else 0
        put("farthing_schema_version", standing.schema)
        put("farthing_commit_number", standing.commits)
        put("farthing_holds_open", standing.holds)
        put("farthing_hold_overdue_seconds", max(0, overdue) / NS)
        put("farthing_asks_waiting", standing.asks)
        for state, count in standing.cases.items():
            put("farthing_cases_waiting", count, state)
        put("farthing_database_bytes", standing.bytes or file_bytes(books_file(config)))
        put("farthing_books_queue_units", self.books.queued)
        put("farthing_books_queue_units_max", QUEUE_MAX)
        put("farthing_books_writable", int(self.books.writable))
        put("farthing_ready", int(not (self.desk.closing or self.fault())))
        note = read_note(config)
        put("farthing_audit_time_seconds", note.time_ns / NS if note else 0)
        if note:
            put("farthing_audit_ok", int(note.ok))

    def _parts(self) -> None:
        put = self.watch.board.put
        verifier = self.desk.payments.verifier
        put("farthing_signatures_total", verifier.good, "good")
        put("farthing_signatures_total", verifier.bad, "bad")
        put("farthing_signatures_waiting", verifier.waiting)
        put("farthing_worker_rounds_total", self.worker.rounds)
        put("farthing_worker_failures_total", self.worker.failures)
        put("farthing_heads_not_noted_total", self.faults.heads)
        put("farthing_event_streams_open", self.desk.streams.open)

    def _models(self) -> None:
        put, scoring = self.watch.board.put, self.scoring
        if scoring is None:
            return
        scorers = scoring.scorers
        for role in ROLES:
            if role in scorers.by_role or role in scorers.faults:
                put("farthing_risk_model_usable", int(role in scorers.by_role), role)
            put("farthing_risk_scored_total", scorers.scored[role], role)
            put("farthing_risk_remarkable_total", scorers.remarkable[role], role)
        put("farthing_risk_scores_behind", scoring.behind)
        put("farthing_risk_scores_skipped_total", scoring.skipped)

    def fault(self) -> str:
        """Say in a word why payments cannot be taken; nothing if they can."""
        if not self.books.writable:
            return "not-writable"
        config = self.desk.config
        if config.books.in_file and free_bytes(books_file(config)) < ROOM_BYTES_MIN:
            return "disk-full"
        return ""


def disk_figures(config: Config) -> Iterator[tuple[str, float] | tuple[str, float, str]]:
    """Give the figures of the disks, and of the certificate."""
    places = {"heads": config.path(config.audit.heads_path)}
    if config.books.in_file:
        places["books"] = books_file(config)
    for place, path in places.items():
        if path.parent.exists():
            usage = shutil.disk_usage(path.parent)
            yield "farthing_disk_free_bytes", usage.free, place
            yield "farthing_disk_size_bytes", usage.total, place
    if config.server.tls_cert:
        yield "farthing_tls_certificate_expiry_seconds", _expiry(Path(config.server.tls_cert))


def _expiry(file: Path) -> float:
    try:
        certificate = x509.load_pem_x509_certificate(read_file(file))
    except (OSError, ValueError, Malformed):
        return 0  # What cannot be read cannot be used at the next start either.
    return certificate.not_valid_after_utc.astimezone(UTC).timestamp()


def books_file(config: Config) -> Path:
    """Give SQLite's file."""
    return config.path(config.books.path)


def free_bytes(file: Path) -> int:
    """Tell how much room is left beside a file."""
    return shutil.disk_usage(file.parent).free


def file_bytes(file: Path) -> int:
    """Give the size of a SQLite database with its log."""
    return sum(part.stat().st_size for part in file.parent.glob(f"{file.name}*") if part.is_file())
