"""Notices: which events an owner is told of, in what class, and when.

An event is a fact; a notice is a message about it to somebody. What is told, by which ways and when
is that person's to say; only what is about security, or waits for their answer, comes at any hour.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import msgspec

from farthing.clock import NS
from farthing.core.events import Event, Kind
from farthing.core.periods import check_hours, check_zone, within_hours
from farthing.errors import Malformed

COALESCE_SECONDS = 60
"""Money that moved is told once a minute, however often it moves."""

_STEP = timedelta(minutes=1)
_DAY_MINUTES = 24 * 60


class Class(StrEnum):
    """What a notice is about, as far as its urgency goes."""

    SECURITY = "security"
    MONEY = "money"
    ACCOUNT = "account"
    SUMMARY = "summary"


LANGUAGES = ("en", "de")

_SECURITY = {
    Kind.PAYMENT_AWAITING,
    Kind.KEY_CREATED,
    Kind.KEY_REVOKED,
    Kind.DEVICE_INVITED,
    Kind.DEVICE_ENROLLED,
    Kind.DEVICE_ROTATED,
    Kind.DEVICE_REVOKED,
    Kind.WEBHOOK_ADDED,
    Kind.WEBHOOK_ROTATED,
    Kind.ACCOUNT_FROZEN,
}
_MONEY = {
    Kind.PAYMENT_CAPTURED,
    Kind.PAYMENT_REFUNDED,
    Kind.PAYMENT_DELIVERY_INCOMPLETE,
    Kind.ACCOUNT_CREDITED,
    Kind.SESSION_CLOSED,
    Kind.TOP_UP_SETTLED,
    Kind.TOP_UP_FAILED,
    Kind.PAYOUT_SETTLED,
    Kind.PAYOUT_FAILED,
}
_ACCOUNT = {
    Kind.ACCOUNT_OPENED,
    Kind.ACCOUNT_UNFROZEN,
    Kind.ACCOUNT_CLOSED,
    Kind.MANDATE_SET,
    Kind.MANDATE_REVOKED,
    Kind.OFFER_SET,
    Kind.OFFER_WITHDRAWN,
    Kind.PAYMENT_REFUSED,
    Kind.WEBHOOK_DISABLED,
    Kind.WEBHOOK_GAVE_UP,
}
_CLASSES: dict[str, Class] = {
    **dict.fromkeys(_SECURITY, Class.SECURITY),
    **dict.fromkeys(_MONEY, Class.MONEY),
    **dict.fromkeys(_ACCOUNT, Class.ACCOUNT),
}


def class_of(kind: str) -> Class | None:
    """Tell in which class an event is told of; None where nobody is."""
    return _CLASSES.get(kind)


class Wish(msgspec.Struct, frozen=True):
    """How one class is told: by these ways, the first that works; none turns it off.

    Units: `digest_seconds` gathers what comes within so long into one notice; 0 tells at once.
    """

    ways: list[str]
    digest_seconds: int = 0


class Wishes(msgspec.Struct, frozen=True):
    """What one person wants to be told, and when.

    Shape: `quiet` are hours like `22:00-07:00` in `zone`; `shows_amounts` lets amounts stand where
           others may read them: on a lock screen, in a subject.
    """

    classes: dict[Class, Wish]
    quiet: list[str] = []
    zone: str = "UTC"
    language: str = "en"
    shows_amounts: bool = False

    def check(self) -> "Wishes":
        """Give it back if it can be kept to.

        Raises: Malformed `malformed-hours`, `unknown-time-zone`, `unknown-language`,
                `security-unheard`.
        """
        check_zone(self.zone)
        for span in self.quiet:
            check_hours(span)
        if self.language not in LANGUAGES:
            raise Malformed("unknown-language", f"there are: {', '.join(LANGUAGES)}")
        security = self.classes.get(Class.SECURITY)
        if security is not None and not security.ways:
            raise Malformed("security-unheard", "security is told by one way at least")
        return self


class Told(NamedTuple):
    """Some events that are told in one notice, and when. Units: `due_ns` is Unix ns."""

    about: Class
    events: tuple[Event, ...]
    due_ns: int


def due_ns(wishes: Wishes, about: Class, happened_ns: int) -> int:
    """Say when something that happened is told: held until quiet hours are over, never dropped.

    Shape: security passes at any hour, and waits for no digest.
    """
    if about is Class.SECURITY:
        return happened_ns
    wish = wishes.classes.get(about)
    wait = wish.digest_seconds if wish is not None else 0
    if about is Class.MONEY:
        wait = max(wait, COALESCE_SECONDS)
    return _after_quiet(wishes, happened_ns + wait * NS)


def _after_quiet(wishes: Wishes, at_ns: int) -> int:
    if not wishes.quiet or not within_hours(wishes.quiet, wishes.zone, at_ns // NS):
        return at_ns
    minute = datetime.fromtimestamp(at_ns // NS, UTC).replace(second=0)
    for _ in range(_DAY_MINUTES + 120):  # A day may have an hour more, or two odd ones.
        minute += _STEP
        if not within_hours(wishes.quiet, wishes.zone, int(minute.timestamp())):
            return int(minute.timestamp()) * NS
    return at_ns  # All hours are quiet: then it would never be told.


def gathered(wishes: Wishes, events: Sequence[Event]) -> list[Told]:
    """Put events into notices: those of one class that are due together are one.

    Shape: in the order in which they are due; what a person turned off, or nobody is told, is left
           out. Every other event is in exactly one of them.
    """
    open_now: dict[Class, list[Event]] = {}
    due: dict[Class, int] = {}
    told: list[Told] = []
    for event in sorted(events, key=lambda one: one.number):
        about = class_of(event.kind)
        if about is None or not ways_of(wishes, about):
            continue
        if about in open_now and event.time_ns >= due[about]:
            told.append(Told(about, tuple(open_now.pop(about)), due.pop(about)))
        if about is Class.SECURITY:
            told.append(Told(about, (event,), event.time_ns))
            continue
        open_now.setdefault(about, []).append(event)
        due.setdefault(about, due_ns(wishes, about, event.time_ns))
    told += [Told(about, tuple(these), due[about]) for about, these in open_now.items()]
    return sorted(told, key=lambda one: (one.due_ns, one.events[0].number))


def ways_of(wishes: Wishes, about: Class) -> list[str]:
    """Name the ways by which a class is told, the first one first."""
    wish = wishes.classes.get(about)
    return [] if wish is None else wish.ways
