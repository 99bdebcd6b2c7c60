"""Time comes in as an argument; these are the only places that read a clock or write a time."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from farthing.errors import Malformed

Clock = Callable[[], int]
"""Gives Unix time in nanoseconds."""

NS = 1_000_000_000

_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?Z",
    re.ASCII,
)


def system_clock() -> int:
    """Read the machine's clock."""
    return time.time_ns()


def write_time(seconds: int) -> str:
    """Write whole Unix seconds as RFC 3339 in UTC: `2026-11-22T21:00:00Z`."""
    return _second(seconds) + "Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def write_time_ns(nanoseconds: int) -> str:
    """Write Unix nanoseconds as RFC 3339 in UTC, to the microsecond."""
    seconds, rest = divmod(nanoseconds, NS)
    return f"{_second(seconds)}.{rest // 1000:06d}Z"


@lru_cache(maxsize=4096)
def parse_time(text: str) -> int:
    """Read an RFC 3339 time in UTC (`Z`), fractions dropped.

    Units:  whole Unix seconds.
    Raises: Malformed `malformed-time` for offsets, other scripts' digits or impossible dates.
    """
    read = _TIME.fullmatch(text)
    if read is None:
        raise Malformed("malformed-time", "write times like 2026-11-22T21:00:00Z")
    try:
        moment = datetime(*(int(read[i]) for i in range(1, 7)), tzinfo=UTC)  # type: ignore[arg-type]
    except ValueError:
        raise Malformed("malformed-time", "there is no such date or time") from None
    return int(moment.timestamp())
