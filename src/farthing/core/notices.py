"""Notices: which events an owner is told of, in what class, and when.

An event is a fact; a notice is a message about it to somebody. What is told, by which ways and when
is that person's to say; only what is about security, or waits for their answer, comes at any hour.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from farthing.clock import NS
from farthing.core.events import Event, Kind
from farthing.core.periods import check_hours, check_zone, within_hours
from farthing.errors import Malformed

COALESCE_SECONDS = 60
"""Money that moved is told once a minute, however often it moves."""
SUMMARY_SECONDS = 86_400
DIGEST_SECONDS_MAX = 7 * 86_400
WAYS = ("push", "email", "sms", "webhook", "apprise")
"""The ways of telling somebody, each a file of `farthing.notifiers`."""


class Class(StrEnum):
    """What a notice is about, as far as its urgency goes."""

    SECURITY = "security"
    MONEY = "money"
    ACCOUNT = "account"
    SUMMARY = "summary"


LANGUAGES = ("en", "de")

_SECURITY = {
    Kind.PAYMENT_AWAITING,
    Kind.PAYMENT_FIRST_APPROVAL,
    Kind.KEY_CREATED,
    Kind.KEY_REVOKED,
    Kind.MANDATE_PROPOSED,
    Kind.MANDATE_DECLINED,
    Kind.DEVICE_INVITED,
    Kind.DEVICE_ENROLLED,
    Kind.DEVICE_ROTATED,
    Kind.DEVICE_REVOKED,
    Kind.WEBHOOK_ADDED,
    Kind.WEBHOOK_ROTATED,
    Kind.ACCOUNT_FROZEN,
    Kind.PASSKEY_ADDED,
    Kind.PASSKEY_REMOVED,
    Kind.RECOVERY_CODES_MADE,
    Kind.PERSON_INVITED,
    Kind.PERSON_REMOVED,
    Kind.PERSON_PROVISIONED,
    Kind.IDENTITY_LINKED,
    Kind.IDENTITY_UNLINKED,
    Kind.NOTICES_SET,
    Kind.ADDRESS_PROVEN,
    Kind.ADDRESS_REMOVED,
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
    Kind.PAYMENT_FLAGGED,
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
                `unknown-way`, `security-unheard`.
        """
        check_zone(self.zone)
        for span in self.quiet:
            check_hours(span)
        for wish in self.classes.values():
            if len(set(wish.ways)) < len(wish.ways) or not set(wish.ways) <= set(WAYS):
                raise Malformed("unknown-way", f"name each once, of: {', '.join(WAYS)}")
        if self.language not in LANGUAGES:
            raise Malformed("unknown-language", f"there are: {', '.join(LANGUAGES)}")
        if not ways_of(self, Class.SECURITY):
            raise Malformed("security-unheard", "security is told by one way at least")
        return self


class Pace(NamedTuple):
    """How many notices may be told within so long; what is more waits, and is told together."""

    most: int
    seconds: int


class Lane(NamedTuple):
    """Events that are told one notice after the other. Shape: `at_once` tells each by itself."""

    name: str
    about: Class
    kinds: tuple[str, ...]
    pace: Pace
    at_once: bool = False
    wait_seconds: int = 0


def _lane(name: str, about: Class, kinds: Iterable[Kind], pace: Pace, **more: Any) -> Lane:
    return Lane(name, about, tuple(sorted(kind.value for kind in kinds)), pace, **more)


ASKING = frozenset({Kind.PAYMENT_AWAITING, Kind.PAYMENT_FIRST_APPROVAL})
"""What wants an answer of whoever may give it, and has not yet."""
_LANES = (
    _lane("asks", Class.SECURITY, ASKING, Pace(6, 600), at_once=True),
    _lane("security", Class.SECURITY, _SECURITY - ASKING, Pace(20, 600), at_once=True),
    _lane("money", Class.MONEY, _MONEY, Pace(20, 3600), wait_seconds=COALESCE_SECONDS),
    _lane("account", Class.ACCOUNT, _ACCOUNT, Pace(10, 3600)),
    _lane("summary", Class.SUMMARY, _MONEY, Pace(2, 86_400), wait_seconds=SUMMARY_SECONDS),
)
LANES = {lane.name: lane for lane in _LANES}
"""The lanes of each person. Asks have one of their own: a flood of them hides nothing else."""


def due_ns(wishes: Wishes, lane: Lane, happened_ns: int) -> int:
    """Say when something that happened is told: held until quiet hours are over, never dropped.

    Shape: security passes at any hour, and waits for no digest.
    """
    if lane.about is Class.SECURITY:
        return happened_ns
    wish = wishes.classes.get(lane.about)
    wait = max(lane.wait_seconds, wish.digest_seconds if wish is not None else 0)
    return _after_quiet(wishes, happened_ns + wait * NS)


def _after_quiet(wishes: Wishes, at_ns: int) -> int:
    """Give the first moment from then on that is not quiet; where all hours are, that moment:
    otherwise it would never be told.
    """
    at_s = at_ns // NS
    if not wishes.quiet or not within_hours(wishes.quiet, wishes.zone, at_s):
        return at_ns
    ends = (end for span in wishes.quiet for end in _ends(span, wishes.zone, at_s))
    loud = [end for end in ends if not within_hours(wishes.quiet, wishes.zone, end)]
    return min(loud) * NS if loud else at_ns


def _ends(span: str, zone: str, at_s: int) -> list[int]:
    """Give when a span of hours ends next, in Unix seconds: where clocks are changed, twice."""
    hours, minutes = int(span[6:8]), int(span[9:])
    today = datetime.fromtimestamp(at_s, ZoneInfo(zone)).date()
    midnights = [datetime.combine(today + timedelta(days=day), time()) for day in range(3)]
    found = [
        (midnight + timedelta(hours=hours, minutes=minutes)).replace(
            tzinfo=ZoneInfo(zone), fold=fold
        )
        for midnight in midnights
        for fold in (0, 1)
    ]
    return [int(end.timestamp()) for end in found if end.timestamp() > at_s]


def told_at(
    wishes: Wishes, lane: Lane, happened_ns: int, now_ns: int, recent: Sequence[int]
) -> int:
    """Say when the next notice of a lane is told, whose first event is this.

    Units: Unix ns; `recent` is when its last notices were told.
    Shape: what is late waits for quiet hours as well, and for its pace.
    """
    due = max(due_ns(wishes, lane, happened_ns), paced_ns(lane.pace, recent))
    if lane.about is Class.SECURITY or due > now_ns:
        return due
    return _after_quiet(wishes, now_ns)


def paced_ns(pace: Pace, recent: Sequence[int]) -> int:
    """Say from when on one more is within a pace; 0 if nothing is in the way."""
    return recent[-pace.most] + pace.seconds * NS if len(recent) >= pace.most else 0


def counted(pace: Pace, recent: Sequence[int], now_ns: int) -> list[int]:
    """Count one more, and forget what was too long ago to matter."""
    return [*recent, now_ns][-pace.most :]


class Told(NamedTuple):
    """Some events that are told in one notice.

    Shape: `more` says that not all are here; `accounts` are those of its reader's owner.
    """

    lane: Lane
    events: tuple[Event, ...]
    more: bool = False
    accounts: frozenset[str] = frozenset()

    def comes_in(self, event: Event) -> bool:
        """Tell whether its reader is paid, and not who pays."""
        body, accounts = event.body, self.accounts
        return body.get("payee") in accounts and body.get("payer") not in accounts

    @property
    def about(self) -> Class:
        """What it is about."""
        return self.lane.about


def told_now(lane: Lane, events: Sequence[Event], recent: Sequence[int], now_ns: int) -> int:
    """Say how many of these events, which are due, the next notice tells.

    Shape: one at a time where each is told by itself; all where many came too fast for that.
    """
    window = now_ns - lane.pace.seconds * NS
    fast = sum(at > window for at in recent) >= lane.pace.most - 1
    return 1 if lane.at_once and not fast else len(events)


def ways_of(wishes: Wishes, about: Class) -> list[str]:
    """Name the ways by which a class is told, the first one first."""
    wish = wishes.classes.get(about)
    return [] if wish is None else wish.ways
