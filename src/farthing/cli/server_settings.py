"""Settings that every server of ours has, whoever runs it."""

from typing import Any

from farthing.web.door import guarded
from farthing.web.guard import Guard
from farthing.web.quick_http import Quick, quickly
from farthing.web.strict_http import StrictHttp

_GRACE_SECONDS = 20


def common_settings() -> dict[str, Any]:
    """Give the settings that every server of ours has."""
    return {
        "http": StrictHttp,
        "ws": "none",
        "loop": "none",
        "lifespan": "off",
        "access_log": False,
        "log_config": None,
        "server_header": False,
        "date_header": True,
        "timeout_graceful_shutdown": _GRACE_SECONDS,
        "timeout_keep_alive": 30,
        "backlog": 2048,
        "proxy_headers": False,
    }


def socket_settings(message_bytes_max: int) -> dict[str, Any]:
    """Give the settings of a server that takes WebSockets, whose messages are never compressed."""
    return {
        "ws": "farthing.web.placed_socket:PlacedSocket",
        "ws_max_size": message_bytes_max,
        "ws_ping_interval": 20.0,
        "ws_ping_timeout": 20.0,
        "ws_per_message_deflate": False,
    }


def bounded_settings(guard: Guard, quick: Quick | None = None) -> dict[str, Any]:
    """Give the settings of a server whose connections are bounded, and so its requests.

    Shape: `quick` answers plain requests at once.
    """
    http = quickly(guard, quick) if quick is not None else guarded(guard)
    return {"http": http, "limit_concurrency": guard.places.most}
