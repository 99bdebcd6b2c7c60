"""The hub's log in a simulation: what tells of a fault of its own is kept, the rest is dropped."""

import logging
from collections.abc import MutableMapping
from typing import Any

import structlog

_OURS = ("request.failed", "worker.failed", "books.not_counted")


class Errors(logging.Handler):
    """Keeps lines that no fault from outside explains."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []
        self.clock_behind = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Look at a line of the standard library's log."""
        text = record.getMessage()
        if text.startswith(_OURS):
            self.lines.append(text)

    def keep(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> Any:
        """Look at a line of structlog."""
        self.clock_behind += event.get("event") == "clock.behind_books"
        if event.get("event") in _OURS:
            self.lines.append(str(dict(event)))
        raise structlog.DropEvent

    def __enter__(self) -> "Errors":
        structlog.configure(
            processors=[structlog.processors.format_exc_info, self.keep],
            cache_logger_on_first_use=False,
        )
        root = logging.getLogger()
        root.handlers[:] = [self]
        return self

    def __exit__(self, *_fault: object) -> None:
        logging.getLogger().handlers[:] = []
        structlog.reset_defaults()
