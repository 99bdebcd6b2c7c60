"""What happened in a commit, for who counts it: each fact once, whoever may know it."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from farthing.books.memory import RecordKey
from farthing.core.events import OF_PAYMENTS, PER_LEAF, Event, Kind
from farthing.core.payments import PAYMENTS
from farthing.core.records import Write

_FLAGGED = Kind.PAYMENT_FLAGGED.value


def happened(events: Sequence[Event], written: Mapping[RecordKey, Write]) -> list[Event]:
    """Give the first event of each fact, and each flag, with what is counted where it is empty."""
    return [
        _told(event, written[PAYMENTS.name, event.subject].row)
        if event.kind in OF_PAYMENTS and not event.body
        else event
        for event in events
        if not event.number % PER_LEAF or event.kind == _FLAGGED
    ]


def _told(event: Event, payment: Any) -> Event:
    body = {"asset": payment.asset, "captured": str(payment.captured)}
    return msgspec.structs.replace(event, body=body)
