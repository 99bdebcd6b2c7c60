"""The page of limits: every number is the code's own, every figure one that was measured."""

import json
from pathlib import Path
from typing import Any

from farthing.books.sql import QUEUE_MAX
from farthing.core import orders
from farthing.core.idempotency import KEPT_SECONDS as KEYS_KEPT_SECONDS
from farthing.protocols.message_signatures import LIFETIME_SECONDS_MAX, SeenNonces
from farthing.services import turns
from farthing.services.verifying import WAITING_MAX
from farthing.settings import Config
from farthing.store.queries import PAGE_MAX
from farthing.web import (
    answers,
    door,
    incoming,
    pace,
    patience,
    socket_proxy,
    strict_http,
    upstream_socket,
)
from farthing.web.api import reading, voucher_socket
from farthing.web.limits import Limits

from .tables import table

FIGURES = Path(__file__).parents[2] / "docs" / "reference" / "floods.json"
MIB = 2**20

NOTE = "\n<!-- Written from the code by `python -m tests.house.reference`; edit that. -->\n"
INTRODUCTION = f"""# Limits
{NOTE}
Whatever can be sent is bounded: in bytes, in time, in number, and in what one sender may take of
it. Where all together have everything the answer is 503, where one has its share it is 429; both
say `Retry-After`, and nothing was done. Shares need no setting: nobody gets more than is left
free for others, so one alone may have half. This machine (`127.0.0.1`, `::1`) and trusted proxies
speak for many and are held to the whole alone.
"""
ELSEWHERE = """
Under another server the middleware has what that server has: see
[Choose a server](../howto/serve-a-priced-app.md).
"""
SELLER = """
## A paywall, in the proxy and in the middleware

The names are those of `farthing.web.limits.Limits`.

"""
MEASURED_WHEN = "in November 2026, beside other work on the same machine"
MEASURED = """
## Memory under floods

Resident memory of the whole process in MiB, on {machine}, {when}. Each flood was sent twice to a
server with default settings, one flood after the other to the same process; what the first one
leaves and the second one adds nothing to is memory that the process keeps for the next time. Your
own figures: `python -m bench.floods`.

"""

Row = tuple[object, ...]
_SERVER, _API, _LIMITS = Config().server, Config().limits, Limits()


def size(count: int) -> str:
    """Write a number of bytes as a person reads it."""
    for unit, name in ((MIB, "MiB"), (1024, "KiB")):
        if count >= unit:
            return f"{count / unit:g} {name}"
    return f"{count} bytes"


def setting(section: str, name: str) -> str:
    """Name a setting of the hub's file, which the proxy reads too."""
    return f"`[{section}] {name}`"


def connections() -> list[Row]:
    """What every connection of `farthing serve` and `farthing proxy` is held to."""
    stall = f"{_API.stall_seconds} s"
    body, read = size(patience.BODY_BYTES_MIN), size(patience.READ_BYTES_MIN)
    return [
        (
            "connections at once",
            f"{_SERVER.connections_max:,}, or as many as files may be opened",
            setting("server", "connections_max"),
            "503 `too-busy`, hung up on",
        ),
        (
            "connections of one address",
            f"{_API.connections_per_address:,}, and no more than are left free",
            setting("limits", "connections_per_address"),
            "429 `too-much-at-once`, hung up on",
        ),
        ("a TLS handshake", f"{door.HANDSHAKE_SECONDS:g} s", "", "hung up on"),
        ("a head", stall, setting("limits", "stall_seconds"), "408 `head-too-slow`"),
        (
            "a body",
            f"{body} in {stall}",
            setting("limits", "stall_seconds"),
            "408 `body-too-slow`",
        ),
        (
            "an answer, read by its client",
            f"{read} in {stall}",
            setting("limits", "stall_seconds"),
            "hung up on",
        ),
        (
            "header fields",
            f"{strict_http.FIELDS_MAX}, together {size(incoming.HEADER_BYTES_MAX)}",
            "",
            "431 `headers-too-large`",
        ),
        ("a target", size(strict_http.URL_BYTES_MAX), "", "414 `target-too-long`"),
        ("requests of a connection", "one at a time", "", "answered, then hung up on"),
        (
            "bytes of requests in memory",
            f"{size(_API.requests_bytes_max)}; of one address no more than is left free",
            setting("limits", "requests_bytes_max"),
            "503 `too-busy`, 429 `too-much-at-once`",
        ),
        (
            "bytes of answers that wait to be read",
            size(_API.answers_bytes_max),
            setting("limits", "answers_bytes_max"),
            "whoever leaves most unread is hung up on",
        ),
        (
            "a message of a WebSocket to the hub",
            size(voucher_socket.MESSAGE_BYTES_MAX),
            "",
            "closed with 1009",
        ),
        (
            "a message of a WebSocket behind the proxy, from either side",
            size(_API.socket_message_bytes_max),
            setting("limits", "socket_message_bytes_max"),
            "closed with 1009; 1011 where it is the service's",
        ),
        (
            "WebSockets open behind the proxy",
            f"{socket_proxy.SOCKETS_MAX:,}; of one address no more than are left free",
            "",
            "503 `too-busy`, 429 `too-much-at-once`",
        ),
        (
            "a ping of a WebSocket, answered by client or service",
            f"{upstream_socket.PING_SECONDS:g} s",
            "",
            "hung up on; the other side is told 1011",
        ),
        (
            "a message to the service behind the proxy, taken by it",
            stall,
            setting("limits", "stall_seconds"),
            "hung up on; the client is told 1011",
        ),
    ]


def hub() -> list[Row]:
    """What the hub's API is held to besides."""
    address = f"{_API.address_per_second:,} a second, {_API.address_burst:,} at once"
    key = f"{_API.key_per_second:,} a second, {_API.key_burst:,} at once"
    each = f"of one owner {_API.streams_per_owner}, to one address {_API.streams_per_address}"
    streams = f"{_API.streams_max:,}; {each}, and no more than are left free"
    return [
        (
            "a body",
            size(_SERVER.body_bytes_max),
            setting("server", "body_bytes_max"),
            "413 `body-too-large`",
        ),
        ("a body, whole", f"{reading._BODY_SECONDS_MAX:g} s", "", "408 `body-too-slow`"),
        ("a compressed body", "none", "", "415 `content-encoding`"),
        ("a query", size(reading._QUERY_MAX), "", "414 `query-too-long`"),
        (
            "requests without a key, of one address",
            address,
            setting("limits", "address_per_second"),
            "429 `too-many-requests`",
        ),
        (
            "requests with one key, or of one device",
            key,
            setting("limits", "key_per_second"),
            "429 `too-many-requests`",
        ),
        (
            "proofs that do not hold, of one address",
            f"{_API.failures_per_minute} a minute",
            setting("limits", "failures_per_minute"),
            "429 `too-many-requests`",
        ),
        (
            "addresses, and keys, that are counted",
            f"{pace.ADDRESSES_MAX:,} each",
            "",
            "the longest unheard is counted anew",
        ),
        (
            "event streams and exports",
            streams,
            "`[limits] streams_max`, `streams_per_owner`, `streams_per_address`",
            "503 `too-busy`, 429 `too-much-at-once`",
        ),
        (
            "payments that wait for the books",
            f"{QUEUE_MAX:,}; of one owner no more than are left free; owners take turns",
            "",
            "503 `books-busy`, 429 `too-much-at-once`",
        ),
        (
            "signatures that wait to be verified",
            f"{WAITING_MAX:,}; of one device from one address no more than are left free",
            "",
            "503 `too-busy`, 429 `too-much-at-once`",
        ),
        (
            f"signed requests in their {LIFETIME_SECONDS_MAX} s",
            f"{SeenNonces()._room.most:,}; of one device no more than are left free",
            "",
            "503 `too-busy`, 429 `too-much-at-once`",
        ),
        ("entries of one page of a list", PAGE_MAX, "", "400 `invalid-limit`"),
        (
            "lists that wait to be made, two at a time",
            f"{turns.WAITING_MAX:,}; of one owner no more than are left free; owners take turns",
            "",
            "503 `too-busy`, 429 `too-much-at-once`",
        ),
        (
            "answers under an `Idempotency-Key`",
            f"kept {KEYS_KEPT_SECONDS // 3600} hours",
            "",
            "forgotten",
        ),
    ]


def seller() -> list[Row]:
    """What a paywall is held to, in the proxy and in the middleware."""
    return [
        ("a body whose digest is in the price", size(_LIMITS.body_bytes), "`body_bytes`",
         "413 `body-too-large`"),
        ("such a body, whole", f"{_LIMITS.body_seconds:g} s", "`body_seconds`",
         "408 `body-too-slow`"),
        ("all such bodies together", size(_LIMITS.bodies_memory_bytes), "`bodies_memory_bytes`",
         "503 `too-busy`, 429 `too-much-at-once`"),
        ("method, path and query of what is priced",
         f"{orders.RESOURCE_CHARACTERS_MAX:,} characters", "", "414 `target-too-long`"),
        ("prices asked and payments refused, of one address",
         f"{_LIMITS.asks_per_second:g} a second, {_LIMITS.asks_burst:g} at once",
         "`asks_per_second`, `asks_burst`", "429 `too-many-requests`; who pays gets both back"),
        ("the head of an answer", f"{_LIMITS.answer_seconds:g} s", "`answer_seconds`",
         "504, and nothing is taken"),
        ("an answer that is kept for a retry", size(answers.ANSWER_BYTES_MAX), "",
         "a retry gets 409 `already-paid` with the receipt"),
        ("all answers that are kept",
         f"{size(_LIMITS.answers_memory_bytes)}, {_LIMITS.answers_seconds:g} s each",
         "`answers_memory_bytes`, `answers_seconds`", "the oldest are forgotten"),
    ]  # fmt: skip


def figures() -> tuple[str, list[Row]]:
    """Give the machine, and a row for each flood that was measured."""
    found: dict[str, Any] = json.loads(FIGURES.read_text())
    machine = found["machine"]
    told = f"{machine['cpu']}, {machine['system']}, Python {machine['python']}"
    rows: list[Row] = []
    for m in found["memory"]:
        memory = " → ".join(f"{m[name]:.0f}" for name in ("before", "after", "after_again"))
        rows.append((m["server"], f"{m['sent']:,} {m['flood']}", memory, f"{m['peak']:.0f}"))
    return told, rows


def limits() -> str:
    """Write the page of limits."""
    head = ("what", "limit", "setting", "over it")
    machine, floods = figures()
    return "".join(
        [
            INTRODUCTION,
            "\n## Every connection of `farthing serve` and `farthing proxy`\n\n",
            table(head, connections()),
            ELSEWHERE,
            "\n## The hub's API\n\n",
            table(head, hub()),
            SELLER,
            table(head, seller()),
            MEASURED.format(machine=machine, when=MEASURED_WHEN),
            table(("server", "flood, sent twice", "before → after → again", "highest"), floods),
        ]
    )
