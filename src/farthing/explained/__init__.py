"""What to do about each problem: one hint a code, kept apart from the code that raises it.

Read only once something went wrong, so nothing of it is on the payment path.
"""

from functools import cache
from importlib import import_module

_SHELVES = (
    "requests",
    "payments",
    "sessions",
    "owning",
    "selling",
    "devices",
    "people",
    "notices",
    "running",
)

_BY_STATUS = {
    400: "Nothing was changed and no money moved. The same request will fail again: mend it first.",
    401: "Nothing was changed and no money moved. Prove who is asking, then ask again.",
    402: "No money was taken. The answer carries a fresh price; pay that.",
    403: "Nothing was changed and no money moved. Asking again does not help until it is allowed.",
    404: "Nothing was changed. What belongs to somebody else looks the same as what is not there.",
    409: "Nothing was changed by this request; what is recorded already stands as it was.",
    422: "No money was taken, and the refusal is recorded. A new try needs a new payment.",
    429: "Nothing was done. Wait as long as Retry-After says, then send the same request.",
    500: "A fault of this software. What was not answered can be looked up by its id.",
    503: "Nothing was done, or it is safe to repeat: send the same request with the same id.",
    504: "It may have been done. Look it up by its id; never pay again under a new one.",
}


@cache
def hints() -> dict[str, str]:
    """Give every hint by its problem's code."""
    found: dict[str, str] = {}
    for shelf in _SHELVES:
        found.update(import_module(f"farthing.explained.{shelf}").HINTS)
    return found


def hint_of(code: str) -> str:
    """Say what to do next about a problem; empty for a code of somebody else's."""
    return hints().get(code, "")


def consequence(status: int) -> str:
    """Say what a status means for money and for trying again."""
    return _BY_STATUS.get(status) or _BY_STATUS[min(status // 100 * 100, 500) or 400]
