"""One structured log line per event, to stderr; secrets never get into it."""

import logging
import sys
from typing import Any

import structlog

from farthing.log_lines import MARK

_SECRETS = {
    "authorization",
    "signature",
    "secret",
    "code",
    "key",
    "credential",
    "payment-signature",
}
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure_logs(form: str, level: str) -> None:
    """Set up the log for this process; the standard library's goes the same way."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
        keep_to_one_line,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,  # A process may be configured anew, as tests do.
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        foreign_pre_chain=[
            name_line,
            structlog.stdlib.add_logger_name,
            *shared,
            structlog.processors.format_exc_info,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(_LEVELS[level], logging.INFO))
    for noisy in ("httpx", "httpcore", "uvicorn.error", "uvicorn.access", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("tigerbeetle").setLevel(logging.ERROR)  # It warns of each try to connect.


def name_line(_logger: Any, _name: str, event: Any) -> Any:
    """Give a line of ours its name and its facts back; a library's stays a sentence."""
    told: tuple[str, dict[str, Any]] | None = getattr(event["_record"], MARK, None)
    if told is not None:
        event["event"] = told[0]
        event.update(told[1])
    return event


def hide_secrets(_logger: Any, _name: str, event: dict[str, Any]) -> dict[str, Any]:
    """Put a mark in the place of values that nobody should find in a log."""
    for name in event:
        if name.lower() in _SECRETS and name != "code":
            event[name] = "[hidden]"
    return event


def keep_to_one_line(_logger: Any, _name: str, event: dict[str, Any]) -> dict[str, Any]:
    """Write control characters of a message as escapes, so that nobody begins a line with them."""
    message = event.get("event")
    if isinstance(message, str) and not message.isprintable():
        event["event"] = message.encode("unicode_escape").decode("ascii")
    return event
