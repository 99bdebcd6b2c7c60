"""Log lines of the parts that also run inside other people's programs: a name, and facts.

They go through the standard library's logging, which such a program sets up as it likes; a hub
and a proxy write them as they write all others. What each means: `explained/log_lines.py`.
"""

import logging
from typing import Any

MARK = "farthing_line"
"""The attribute of a log record that holds the line's name and its facts."""


class Log:
    """Writes lines of one part. Shape: `fault` is shown with its traceback."""

    __slots__ = ("_log",)

    def __init__(self, part: str) -> None:
        self._log = logging.getLogger(f"farthing.{part}")

    def debug(self, line: str, /, fault: BaseException | None = None, **facts: object) -> None:
        """Write what only somebody who looks for a fault wants to know."""
        self._write(logging.DEBUG, line, fault, facts)

    def info(self, line: str, /, **facts: object) -> None:
        """Write what happened."""
        self._write(logging.INFO, line, None, facts)

    def warning(self, line: str, /, **facts: object) -> None:
        """Write what mends itself, or may have to be looked at."""
        self._write(logging.WARNING, line, None, facts)

    def error(self, line: str, /, fault: BaseException | None = None, **facts: object) -> None:
        """Write what somebody must look at."""
        self._write(logging.ERROR, line, fault, facts)

    def _write(
        self, level: int, line: str, fault: BaseException | None, facts: dict[str, Any]
    ) -> None:
        if not self._log.isEnabledFor(level):
            return
        told = {name: _plain(value) for name, value in facts.items()}
        text = " ".join([line, *(f"{name}={value}" for name, value in told.items())])
        self._log.log(level, "%s", text, exc_info=fault, extra={MARK: (line, told)})


def _plain(value: object) -> object:
    return value if isinstance(value, int | float | str) else str(value)
