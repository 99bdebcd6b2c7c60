"""Webhooks: where an owner's events are sent, and how far each list of them has come.

An event is the intention to send it: it is durable in the commit that made it. What is kept
beside it is only how far a webhook's lanes have come, so nothing has to be written on the payment
path, and nothing is lost while an endpoint is away.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from farthing.clock import NS
from farthing.core.decisions import Outcome, View
from farthing.core.events import PER_LEAF, Fact, Kind
from farthing.core.facts import body_of, state_change
from farthing.core.owners import OWNERS
from farthing.core.records import Read, Table, Write
from farthing.errors import Conflict, Malformed, Missing, present

WEBHOOKS_MAX = 20
"""How many webhooks one owner may have."""
SECRET_BYTES = 32
OVERLAP_SECONDS = 86_400
UNTIL_ALWAYS = 2**62
"""The end of a lane that has none."""

SENT = tuple(kind.value for kind in Kind if kind.value.partition(".")[0] in ("payment", "session"))
"""The kinds of events that webhooks get."""
PATTERNS = ("payment.*", "session.*")


class Secret(msgspec.Struct, frozen=True):
    """A secret that messages are signed with. Units: `until_ns` is 0 while it has no end."""

    key: bytes
    until_ns: int = 0


_SECRETS = msgspec.json.Decoder(list[Secret])


def _written(*secrets: Secret) -> str:
    return msgspec.json.encode(secrets).decode()


class Webhook(msgspec.Struct, frozen=True):
    """Where an owner's events are sent.

    Shape: `state` is `on`, `off` or `removed`; `why` says why it is off: `owner`, `gone` or
           `failing`. `secrets` are JSON, or nothing: whoever owns the row may delete them.
    """

    id: str
    owner: str
    url: str
    label: str
    kinds: list[str]
    secrets: str
    state: str
    why: str
    created_ns: int
    changed_ns: int

    @property
    def signs_with(self) -> list[Secret]:
        """The secrets, the newest first."""
        return _SECRETS.decode(self.secrets or "[]")


class Lane(msgspec.Struct, frozen=True):
    """A list of events that are sent one after the other: those after `number` up to `until`.

    Units: `attempts` counts those of the event that is next; it is tried again at `next_ns`;
           `failing_ns` is since when nothing gets through, 0 while something does.
    Shape: `kind` is `new`, `replay`, or `late` for one event that was set aside.
    """

    id: str
    webhook: str
    owner: str
    kind: str
    number: int
    until: int
    attempts: int
    next_ns: int
    failing_ns: int
    over: bool


class Delivery(msgspec.Struct, frozen=True):
    """One try to send one event.

    Units: `status` is the answer's code, 0 where there was none; `took_ms` how long it took.
    Shape: `fault` is empty where it was delivered.
    """

    id: str
    webhook: str
    owner: str
    event: int
    kind: str
    attempt: int
    status: int
    fault: str
    took_ms: int
    time_ns: int


WEBHOOKS = Table("webhooks", Webhook, "id", free=("url", "label", "secrets"))
LANES = Table("webhook_lanes", Lane, "id")
DELIVERIES = Table("webhook_deliveries", Delivery, "id", passing=True)


def chosen(patterns: Sequence[str]) -> list[str]:
    """Give the kinds of events that patterns name.

    Raises: Malformed `unknown-event-kind`.
    """
    for pattern in patterns:
        if pattern not in PATTERNS and pattern not in SENT:
            known = ", ".join((*PATTERNS, *SENT))
            raise Malformed("unknown-event-kind", f"{pattern!r} is none of {known}")
    return [kind for kind in SENT if kind in patterns or f"{kind.partition('.')[0]}.*" in patterns]


def new_lane(webhook: str) -> str:
    """Name the lane of what happens from now on."""
    return f"{webhook}/new"


def _own(view: View, ident: str, owner: str | None) -> Webhook:
    found = view.get(WEBHOOKS, ident)
    if found is None or owner not in (None, found.owner):
        raise Missing("no-such-webhook", "there is no such webhook here")
    return found


def _in_use(view: View, ident: str, owner: str | None) -> Webhook:
    found = _own(view, ident, owner)
    if found.state == "removed":
        raise Conflict("webhook-removed", "this webhook was removed; add a new one")
    return found


@dataclass(frozen=True, slots=True)
class AddWebhook:
    """Send an owner's events to a URL from now on."""

    id: str
    owner: str
    url: str
    label: str
    kinds: Sequence[str]
    key: bytes
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Webhook]:
        """Add it once; what happened before is not sent."""
        if view.get(OWNERS, self.owner) is None:
            raise Missing("no-such-owner", "there is no such owner here")
        now, kinds = view.now_ns, list(self.kinds)
        secrets = _written(Secret(self.key))
        made = Webhook(
            self.id, self.owner, self.url, self.label, kinds, secrets, "on", "", now, now
        )
        first, lane = view.leaf * PER_LEAF, new_lane(self.id)
        row = Lane(lane, self.id, self.owner, "new", first, UNTIL_ALWAYS, 0, 0, 0, over=False)
        fact = Fact(self.owner, Kind.WEBHOOK_ADDED, self.id, body_of(kinds=" ".join(kinds)))
        outcome = state_change(view, made, [fact], [Write(WEBHOOKS, made)])
        return msgspec.structs.replace(outcome, writes=[*outcome.writes, Write(LANES, row)])


@dataclass(frozen=True, slots=True)
class RotateWebhook:
    """Sign with a new secret; with the last one too until the overlap is over."""

    id: str
    owner: str | None
    key: bytes
    overlap_seconds: int
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Webhook]:
        """Keep two secrets at most, so that nobody fills a row."""
        found = _in_use(view, self.id, self.owner)
        until = view.now_ns + self.overlap_seconds * NS
        last = found.signs_with[:1] if self.overlap_seconds else []
        secrets = _written(Secret(self.key), *(Secret(each.key, until) for each in last))
        after = msgspec.structs.replace(found, secrets=secrets, changed_ns=view.now_ns)
        fact = Fact(found.owner, Kind.WEBHOOK_ROTATED, self.id, {})
        return state_change(view, after, [fact], [Write(WEBHOOKS, after)])


@dataclass(frozen=True, slots=True)
class SetWebhookState:
    """Turn a webhook on or off, or remove it with its URL and secrets.

    Shape: `why` is `owner`, or what the hub turns it off for: `gone`, `failing`.
    """

    id: str
    owner: str | None
    to: str
    why: str = "owner"
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Webhook]:
        """Do it once; turned on again, it goes on where it was."""
        found = _own(view, self.id, self.owner)
        if found.state == self.to:
            return Outcome(found)
        if found.state == "removed":
            raise Conflict("webhook-removed", "this webhook was removed; add a new one")
        why = "" if self.to == "on" else self.why
        after = msgspec.structs.replace(found, state=self.to, why=why, changed_ns=view.now_ns)
        if self.to == "removed":
            after = msgspec.structs.replace(after, url="", label="", secrets="")
        kinds = {
            "on": Kind.WEBHOOK_ENABLED,
            "off": Kind.WEBHOOK_DISABLED,
            "removed": Kind.WEBHOOK_REMOVED,
        }
        fact = Fact(found.owner, kinds[self.to], self.id, body_of(why=why or None))
        outcome = state_change(view, after, [fact], [Write(WEBHOOKS, after)])
        lane = present(view.get(LANES, new_lane(self.id)), "a webhook has a lane")
        row = msgspec.structs.replace(
            lane, attempts=0, next_ns=0, failing_ns=0, over=self.to == "removed"
        )
        return msgspec.structs.replace(outcome, writes=[*outcome.writes, Write(LANES, row)])


@dataclass(frozen=True, slots=True)
class TestWebhook:
    """Make an event that is sent to this webhook alone."""

    __test__ = False
    id: str
    owner: str | None
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Webhook]:
        """Make it for a webhook that is on."""
        found = _in_use(view, self.id, self.owner)
        if found.state != "on":
            raise Conflict("webhook-off", "this webhook is off; turn it on first")
        fact = Fact(found.owner, Kind.WEBHOOK_TESTED, self.id, {})
        return state_change(view, found, [fact], [])


@dataclass(frozen=True, slots=True)
class ReplayWebhook:
    """Send a range of events again: those after `after`, up to `until`."""

    id: str
    owner: str | None
    after: int
    until: int
    name: str
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Lane]:
        """Begin it; what is new is sent meanwhile."""
        found = _in_use(view, self.id, self.owner)
        if found.state != "on":
            raise Conflict("webhook-off", "this webhook is off; turn it on first")
        until = min(self.until, view.leaf * PER_LEAF)
        if self.after >= until:
            raise Malformed("nothing-to-replay", "`after` is an event before `until`")
        lane = f"{self.id}/{self.name}"
        row = Lane(lane, self.id, found.owner, "replay", self.after, until, 0, 0, 0, over=False)
        return Outcome(row, [Write(LANES, row)])


@dataclass(frozen=True, slots=True)
class Sent:
    """Note what became of some tries, and how far their lane has come.

    Shape: `before` is the lane as it was read; where it has moved since, somebody else was
           faster, and only the tries are noted. `aside` is the lane of an event that is set aside.
    """

    before: Lane
    after: Lane
    deliveries: Sequence[Delivery]
    aside: Lane | None = None
    accounts: Sequence[int] = ()

    @property
    def reads(self) -> Sequence[Read]:
        """The lane."""
        return [Read(LANES, self.before.id)]

    def plan(self, view: View) -> Outcome[bool]:
        """Move the lane on."""
        writes = [Write(DELIVERIES, delivery) for delivery in self.deliveries]
        if view.get(LANES, self.before.id) != self.before:
            return Outcome(answer=False, writes=writes)
        if self.aside is not None:
            writes.append(Write(LANES, self.aside))
        return Outcome(answer=True, writes=[*writes, Write(LANES, self.after)])


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Tell an owner that an event was not delivered in all its tries."""

    lane: Lane
    accounts: Sequence[int] = ()

    @property
    def reads(self) -> Sequence[Read]:
        """The lane."""
        return [Read(LANES, self.lane.id)]

    def plan(self, view: View) -> Outcome[Lane]:
        """Tell it once."""
        found = present(view.get(LANES, self.lane.id), "a lane is kept")
        if found.over:
            return Outcome(found)
        after = msgspec.structs.replace(found, over=True)
        body = body_of(undelivered=found.until)
        fact = Fact(found.owner, Kind.WEBHOOK_GAVE_UP, found.webhook, body)
        outcome = state_change(view, after, [fact], [])
        return msgspec.structs.replace(outcome, writes=[*outcome.writes, Write(LANES, after)])
