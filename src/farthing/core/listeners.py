"""Listeners: people who are told what happens, what they wish, and how far they have been told.

An event is the intention to tell it. Beside it only a place in the log is kept for each lane of a
person, which moves on when a notice was told, or passed over because nobody wants it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import dropwhile

import msgspec

from farthing.core.decisions import Outcome, View
from farthing.core.events import PER_LEAF, Fact, Kind
from farthing.core.facts import body_of, state_change
from farthing.core.notices import LANES, Class, Lane, Wish, Wishes, ways_of
from farthing.core.people import PEOPLE, Person
from farthing.core.records import Read, Table, Write
from farthing.errors import Missing

DEFAULT = Wishes(
    {
        Class.SECURITY: Wish(["push", "email", "sms"]),
        Class.MONEY: Wish(["push"]),
        Class.ACCOUNT: Wish(["push", "email"]),
        Class.SUMMARY: Wish([]),
    }
)
"""What somebody is told who has said nothing else, once there is an address."""


class Listener(msgspec.Struct, frozen=True):
    """What a person wishes to be told. Shape: `addresses` are the ids of those not removed."""

    person: str
    owner: str
    wishes: Wishes
    addresses: list[str]
    changed_ns: int


class Address(msgspec.Struct, frozen=True):
    """Where a person is told by one way.

    Units: ns; a time is 0 where it has not come.
    Shape: `state` is `unproven`, `on` or `removed`; `place` is the mailbox, number or URL; `keys`
           are a browser's for its pushes, in JSON, and `session` names where somebody was signed
           in who asked for them. Of a code only the hash is kept.
    """

    id: str
    person: str
    owner: str
    way: str
    place: str
    keys: str
    label: str
    state: str
    why: str
    code_hash: bytes
    code_ends_ns: int
    code_tries: int
    created_ns: int
    proven_ns: int
    removed_ns: int
    session: str = ""


class NoticeLane(msgspec.Struct, frozen=True):
    """How far a person has been told of one lane.

    Units: events up to `number` are told, or not to be; a notice under way ends with the event
           `upto`, 0 if none is; it was tried `attempts` times and is tried again at `next_ns`.
           `recent` is when the last ones were told, in Unix ns.
    """

    id: str
    person: str
    owner: str
    name: str
    number: int
    heard: bool
    upto: int = 0
    attempts: int = 0
    next_ns: int = 0
    recent: list[int] = []

    @property
    def lane(self) -> Lane:
        """Which events it is about."""
        return LANES[self.name]

    @property
    def notice(self) -> str:
        """Name the notice that is told next: the same however often it is tried."""
        return f"{self.person}.{self.name}.{self.number}"


LISTENERS = Table("notice_listeners", Listener, "person", free=())
ADDRESSES = Table(
    "notice_addresses",
    Address,
    "id",
    free=("place", "keys", "label", "code_hash", "code_ends_ns", "code_tries", "session"),
)
NOTICE_LANES = Table("notice_lanes", NoticeLane, "id")


def lane_id(person: str, name: str) -> str:
    """Name a lane of a person."""
    return f"{person}/{name}"


def person_of(view: View, ident: str, owner: str | None) -> Person:
    """Get a person who may sign in, of this owner; the operator (None) may have all.

    Raises: Missing.
    """
    person = view.get(PEOPLE, ident)
    if person is None or person.removed_ns or owner not in (None, person.owner):
        raise Missing("no-such-person", "there is no such person here")
    return person


def listener_of(view: View, person: Person) -> Listener:
    """Get what a person wishes; the default where nothing was said."""
    found = view.get(LISTENERS, person.id)
    return found or Listener(person.id, person.owner, DEFAULT, [], view.now_ns)


def addresses_of(view: View, listener: Listener) -> list[Address]:
    """Get a person's addresses that are not removed."""
    found = [view.get(ADDRESSES, ident) for ident in listener.addresses]
    return [one for one in found if one is not None]


def usable(wishes: Wishes, about: Class, addresses: Sequence[Address]) -> list[Address]:
    """Give the addresses by which a class is told, in the order in which they are tried.

    Shape: security is told by whatever there is, where none of the ways wished for has one.
    """
    on = [one for one in addresses if one.state == "on"]
    ways = ways_of(wishes, about)
    found = [one for way in ways for one in on if one.way == way]
    return on if about is Class.SECURITY and not found else found


def after(way: str, addresses: Sequence[Address]) -> list[Address]:
    """Give the addresses of the ways that are tried after this one."""
    later = dropwhile(lambda one: one.way != way, addresses)
    return [one for one in later if one.way != way]


def lane_writes(view: View, listener: Listener, addresses: Sequence[Address]) -> list[Write]:
    """Begin lanes that are heard from now on, and end those that are not any more.

    Shape: what happened while nobody was to be told is not told later.
    """
    writes: list[Write] = []
    for lane in LANES.values():
        ident = lane_id(listener.person, lane.name)
        found = view.get(NOTICE_LANES, ident)
        heard = bool(usable(listener.wishes, lane.about, addresses))
        if heard == (found is not None and found.heard):
            continue
        row = found or NoticeLane(ident, listener.person, listener.owner, lane.name, 0, heard)
        number = view.leaf * PER_LEAF if heard else row.number
        after = msgspec.structs.replace(
            row, number=number, heard=heard, upto=0, attempts=0, next_ns=0
        )
        writes.append(Write(NOTICE_LANES, after))
    return writes


def changed(
    view: View, after: Listener, fact: Fact, *, addresses: Sequence[Address], write: Address | None
) -> Outcome[Listener]:
    """Write a listener, perhaps one of the addresses, and the lanes that follow from both."""
    stated = [Write(LISTENERS, after)]
    if write is not None:
        stated.append(Write(ADDRESSES, write))
    outcome = state_change(view, after, [fact], stated)
    lanes = lane_writes(view, after, addresses)
    return msgspec.structs.replace(outcome, writes=[*outcome.writes, *lanes])


@dataclass(frozen=True, slots=True)
class SetWishes:
    """Change what a person is told; `by` is `link` where they pressed one in a notice."""

    person: str
    owner: str | None
    wishes: Wishes
    by: str = ""
    reads: Sequence[Read] = field(default=())
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Listener]:
        """Do it; the same again is no harm, and no event.

        Raises: Malformed; Missing.
        """
        person = person_of(view, self.person, self.owner)
        before = listener_of(view, person)
        if self.wishes == before.wishes:
            return Outcome(before)
        after = msgspec.structs.replace(before, wishes=self.wishes.check(), changed_ns=view.now_ns)
        fact = Fact(person.owner, Kind.NOTICES_SET, person.id, body_of(by=self.by or None))
        found = addresses_of(view, after)
        return changed(view, after, fact, addresses=found, write=None)


@dataclass(frozen=True, slots=True)
class TurnOff:
    """Tell a person nothing of a class any more: one click, in a notice of it."""

    person: str
    about: Class
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Listener]:
        """Do it; again is no harm.

        Raises: Malformed `security-unheard`; Missing.
        """
        person = person_of(view, self.person, None)
        wishes = listener_of(view, person).wishes
        off = {**wishes.classes, self.about: Wish([])}
        after = msgspec.structs.replace(wishes, classes=off)
        return SetWishes(self.person, None, after.check(), "link").plan(view)
