"""What the newest audit found, noted beside the books: the hub tells its metrics from it.

An audit is a command of its own, so that it can run on a copy, or where the hub does not.
"""

import contextlib
import os
from pathlib import Path

import msgspec

from farthing.settings import Config

_NAME = "last-audit.json"


class AuditNote(msgspec.Struct, frozen=True):
    """One audit's outcome. Shape: `text` is "ok", or what is broken, in a line."""

    ok: bool
    time_ns: int
    commits: int
    text: str


def write_note(config: Config, note: AuditNote) -> None:
    """Put a note in the place of the one before, whole or not at all.

    Raises: OSError where the hub's folder cannot be written.
    """
    path = note_file(config)
    draft = path.with_name(f"{_NAME}.{os.getpid()}")
    try:
        draft.write_bytes(msgspec.json.encode(note))
        draft.chmod(0o644)  # For the hub to read, whoever audited; the folder is its user's alone.
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def read_note(config: Config) -> AuditNote | None:
    """Give the newest note; None before the first audit, and for a note that cannot be read."""
    try:
        return msgspec.json.decode(note_file(config).read_bytes(), type=AuditNote)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def note_file(config: Config) -> Path:
    """Say where the note is."""
    return config.path(_NAME)
