"""How commands talk: data to stdout, talk to stderr, and one exit code per kind of refusal."""

import json
import sys
from typing import Any

from farthing.errors import (
    BadConfig,
    Conflict,
    FarthingError,
    Malformed,
    Missing,
    OutcomeUnknown,
    PaymentRefused,
    PlugMissing,
    Unavailable,
)

EXIT_CODES: list[tuple[type[FarthingError], int]] = [
    (PaymentRefused, 3),
    (OutcomeUnknown, 5),
    (Unavailable, 7),
    (Malformed, 2),
    (BadConfig, 8),
    (PlugMissing, 8),
    (Missing, 9),
    (Conflict, 10),
]


def say(text: str) -> None:
    """Tell the person at the terminal something; scripts read stdout and do not see it."""
    print(text, file=sys.stderr)


def show(value: Any) -> None:
    """Print data as JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def fail(error: FarthingError) -> int:
    """Say what went wrong and what to do, and give the exit code."""
    say(f"farthing: {error.detail or error.code} [{error.code}]")
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)
