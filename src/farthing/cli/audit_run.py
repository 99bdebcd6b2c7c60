"""The audit as a command: it reads one snapshot, beside a running hub or without one."""

import dataclasses
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from farthing.app import key_ring, open_to_read
from farthing.cli.talk import say, show
from farthing.config import Config, load_config
from farthing.services.audit import Report, audit
from farthing.services.heads import HeadsFile

BROKEN = 6


async def run_audit(config_file: Path | None, root_key: str, *, as_json: bool) -> int:
    """Audit the configured books; 0 if they are right, 6 if not.

    Raises: FarthingError when they cannot be read.
    """
    config = load_config(config_file)
    with ThreadPoolExecutor(1) as readers:
        database = open_to_read(config, readers)
        try:
            with _progress() as progress:
                task = progress.add_task("auditing", total=None)
                report = await audit(
                    database,
                    root_key or _root(config),
                    HeadsFile(config.path(config.audit.heads_path)),
                    on_progress=lambda done, of: progress.update(task, completed=done, total=of),
                )
        finally:
            database.close()
    _tell(report, as_json)
    return 0 if report.ok else BROKEN


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def _root(config: Config) -> str | None:
    ring = key_ring(config)
    return ring.root().public if ring.exists else None


def _tell(report: Report, as_json: bool) -> None:
    if as_json:
        shown: dict[str, Any] = dataclasses.asdict(report)
        show({**shown, "ok": report.ok, "text": report.text})
        return
    for note in report.notes:
        say(f"note: {note}")
    counted = (
        f"{report.commits} commits, {report.transfers} transfers, {report.accounts} accounts, "
        f"{report.holds} holds, {report.payments} payments in {report.seconds:.1f} s"
    )
    if report.ok:
        print(f"ok: {counted}")
    else:
        print(f"BROKEN: {report.text}")
        say(f"read until there: {counted}")
