"""What a seller asks of the hub once a handler has answered: capture, release, give back."""

import asyncio
import logging

from farthing.errors import Conflict, FarthingError, OutcomeUnknown, Unavailable
from farthing.services.hub import Authorisation, Hub

log = logging.getLogger("farthing.paywall")

ATTEMPTS = 3
PAUSE_SECONDS = 0.1


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
    """Give a hold back; where that fails, the hold runs out by itself.

    A capture that nobody heard of may have been made: then the money is refunded.
    """
    try:
        await hub.void(payment, reason)
    except Conflict:
        await give_back(hub, payment, reason)
    except FarthingError as problem:
        log.warning("hold not released yet: payment=%s code=%s", payment, problem.code)


async def give_back(hub: Hub, payment: str, reason: str) -> None:
    """Give money back that was taken for nothing."""
    try:
        await hub.refund(payment, None, reason)
    except FarthingError as problem:
        log.error("refund failed: payment=%s code=%s", payment, problem.code)


async def broke_off(hub: Hub, payment: str, reason: str, *, refund: bool) -> None:
    """Record that a paid answer broke off, and give the money back where the seller says so."""
    try:
        await hub.delivery_incomplete(payment, reason)
    except FarthingError as problem:
        log.error("delivery not recorded: payment=%s code=%s", payment, problem.code)
    if refund:
        await give_back(hub, payment, reason)
