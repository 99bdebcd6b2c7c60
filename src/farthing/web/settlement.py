"""What a seller asks of the hub once a handler has answered: capture, release, give back."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from farthing.errors import Conflict, FarthingError, OutcomeUnknown, Unavailable
from farthing.log_lines import Log
from farthing.services.hub import Authorisation, Hub

log = Log("paywall")

ATTEMPTS = 3
PAUSE_SECONDS = 0.1
PATIENCE_SECONDS = (1, 5, 30, 60, 300, 600, 1200, 1200)
"""How long is waited between asking for money to be given back, while the hub is not heard."""

_asking: dict[str, set[asyncio.Task[None]]] = {}


def unheard() -> int:
    """Count what the hub has not yet been told to give back."""
    return sum(map(len, _asking.values()))


def is_unheard(payment: str) -> bool:
    """Tell whether the hub is still to be told to give this payment's money back."""
    return payment in _asking


def forget(payment: str) -> None:
    """Ask no more for what was held before: that hold was lost, and the one made anew is served."""
    for task in _asking.get(payment, ()):
        task.cancel()


async def capture(hub: Hub, payment: str) -> Authorisation:
    """Take a held payment; asked again while the hub is busy or unheard, which is safe.

    Raises: FarthingError; OutcomeUnknown when nobody knows whether it was taken.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await hub.capture(payment)
        except (Unavailable, OutcomeUnknown):
            if attempt == ATTEMPTS:
                raise
            await asyncio.sleep(PAUSE_SECONDS * attempt)
    raise OutcomeUnknown("outcome-unknown", "the hub was not heard")


async def release(hub: Hub, payment: str, reason: str) -> None:
    """Give a hold back.

    A capture that nobody heard of may have been made: then the money is refunded.
    """
    await _asked(lambda: _let_go(hub, payment, reason), payment)


async def give_back(hub: Hub, payment: str, reason: str) -> None:
    """Give money back that was taken for nothing."""
    await _asked(lambda: _refund(hub, payment, reason), payment)


async def _let_go(hub: Hub, payment: str, reason: str) -> None:
    try:
        await hub.void(payment, reason)
    except Conflict:
        await _refund(hub, payment, reason)


async def _refund(hub: Hub, payment: str, reason: str) -> None:
    await hub.refund(payment, None, reason)


async def _asked(ask: Callable[[], Awaitable[None]], payment: str) -> None:
    """Ask the hub, and go on asking where it was not heard: somebody's money is there."""
    if not await _was_heard(ask, payment):
        task = asyncio.create_task(_go_on_asking(ask, payment))
        _asking.setdefault(payment, set()).add(task)
        task.add_done_callback(partial(_asks_no_more, payment))


def _asks_no_more(payment: str, task: asyncio.Task[None]) -> None:
    _asking[payment].discard(task)
    if not _asking[payment]:
        del _asking[payment]


async def _go_on_asking(ask: Callable[[], Awaitable[None]], payment: str) -> None:
    for pause in PATIENCE_SECONDS:
        await asyncio.sleep(pause)
        if await _was_heard(ask, payment):
            return
    log.error("paywall.given_up", payment=payment, hint="look it up and refund it")


async def _was_heard(ask: Callable[[], Awaitable[None]], payment: str) -> bool:
    try:
        await ask()
    except (Unavailable, OutcomeUnknown) as problem:
        log.warning("paywall.gives_back_later", payment=payment, code=problem.code)
        return False
    except FarthingError as problem:
        log.error("paywall.not_given_back", payment=payment, code=problem.code)
    return True


async def broke_off(hub: Hub, payment: str, reason: str, *, refund: bool) -> None:
    """Record that a paid answer broke off, and give the money back where the seller says so."""
    try:
        await hub.delivery_incomplete(payment, reason)
    except FarthingError as problem:
        log.error("paywall.delivery_not_recorded", payment=payment, code=problem.code)
    if refund:
        await give_back(hub, payment, reason)
