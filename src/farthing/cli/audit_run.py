"""The audit as a command: it reads one snapshot, beside a running hub or without one."""

import dataclasses
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from farthing.clock import system_clock
from farthing.config import load_config
from farthing.opening import key_ring, open_cluster, open_to_read
from farthing.services.audit import Report, audit
from farthing.services.audit_note import AuditNote, write_note
from farthing.services.heads import HeadsFile
from farthing.settings import Config
from farthing.store.migrate import check_current
from farthing.terminal.exits import Exit
from farthing.terminal.frame import Answer
from farthing.terminal.talk import manners, say
from farthing.threads import Threads


async def run_audit(config_file: Path | None, root_key: str) -> Answer:
    """Audit the configured books.

    Raises: FarthingError when they cannot be read.
    """
    config = load_config(config_file)
    report = await examined(config, root_key or _root(config))
    try:
        write_note(config, AuditNote(report.ok, system_clock(), report.commits, report.text))
    except OSError as fault:  # Somebody who may read the books but not write beside them.
        say(f"note: the hub's metrics will not tell of this audit: {fault}")
    return _told(report)


async def audit_books(config: Config, root_key: str | None) -> Answer:
    """Audit books against a root key, and give the report as a command's answer.

    Raises: FarthingError when they cannot be read.
    """
    return _told(await examined(config, root_key))


async def examined(config: Config, root_key: str | None) -> Report:
    """Audit books against a root key, with a bar at a terminal.

    Raises: FarthingError when they cannot be read.
    """
    with Threads(1) as readers:
        database, cluster = open_to_read(config, readers), open_cluster(config)
        try:
            check_current(database)
            with progress_bar("auditing") as on_progress:
                return await audit(
                    database,
                    root_key,
                    HeadsFile(config.path(config.audit.heads_path)),
                    on_progress=on_progress,
                    cluster=cluster,
                )
        finally:
            database.close()
            if cluster is not None:
                cluster.close()


@contextmanager
def progress_bar(what: str) -> Generator[Callable[[int, int], None]]:
    """Show how far long work is, at a terminal only."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    ) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, of: progress.update(task, completed=done, total=of)


def _root(config: Config) -> str | None:
    ring = key_ring(config)
    return ring.root_public() if ring.exists else None


def _told(report: Report) -> Answer:
    shown: dict[str, Any] = {**dataclasses.asdict(report), "ok": report.ok, "text": report.text}
    if not manners.get().as_json:
        for note in report.notes:
            say(f"note: {note}")
    counted = (
        f"{report.commits} commits, {report.transfers} transfers, {report.accounts} accounts, "
        f"{report.holds} holds, {report.payments} payments in {report.seconds:.1f} s"
    )
    if report.ok:
        return Answer(shown, lambda _: [f"ok: {counted}"])
    said = [f"BROKEN: {report.text}", f"read until there: {counted}"]
    return Answer(shown, lambda _: said, Exit.NOT_VALID)
