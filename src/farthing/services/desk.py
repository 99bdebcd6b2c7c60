"""Everything the ways in may call, in one place."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from farthing.config import Config
from farthing.services.access import Access
from farthing.services.batches import Batches
from farthing.services.context import Context
from farthing.services.payments import Payments
from farthing.services.sessions import Sessions


async def _no_metrics() -> bytes:
    return b""


def _no_fault() -> str:
    return ""


@dataclass(slots=True)
class Desk:
    """The services of one running hub.

    Shape: `streams` counts the event streams that are open; `metrics` writes the page of metrics;
           `fault` says in a word why payments cannot be taken now, nothing if they can.
    """

    ctx: Context
    config: Config
    payments: Payments
    sessions: Sessions
    batches: Batches
    access: Access
    closing: bool = False
    streams: int = 0
    metrics: Callable[[], Awaitable[bytes]] = _no_metrics
    fault: Callable[[], str] = _no_fault
