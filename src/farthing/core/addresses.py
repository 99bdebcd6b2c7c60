"""Addresses for notices: given, proven by a code that is sent there, and removed.

Codes are few: for each place, and for each person. Somebody who names another's mailbox can have
so many sent there in a day, and learns nothing about whose it is.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from farthing.clock import NS
from farthing.core.decisions import Outcome, View
from farthing.core.events import Fact, Kind
from farthing.core.facts import body_of
from farthing.core.listeners import (
    ADDRESSES,
    Address,
    Listener,
    addresses_of,
    changed,
    listener_of,
    person_of,
)
from farthing.core.notices import Pace, counted, paced_ns
from farthing.core.pushes import removed
from farthing.core.records import Read, Table, Write
from farthing.errors import Conflict, Malformed, Missing

ADDRESSES_MAX = 10
"""How many addresses one person may have."""
CODE_SECONDS = 900
CODE_TRIES = 5
CODES_PER_PLACE = Pace(3, 86_400)
CODES_PER_PERSON = Pace(10, 86_400)
NOTICES_PER_PLACE = Pace(60, 3600)

_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{3,190}", re.ASCII)
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)


class NoticePace(msgspec.Struct, frozen=True):
    """How often something was sent somewhere. Units: Unix ns. Shape: `hash` says where."""

    hash: bytes
    recent: list[int]


NOTICE_PACES = Table("notice_paces", NoticePace, "hash", passing=True)


class Asked(NamedTuple):
    """An address as it is now. Shape: `send` says whether its new code is to be sent there."""

    address: Address
    send: bool


def check_place(way: str, place: str) -> str:
    """Read where somebody wants to be told by mail or text message, and give it back.

    Raises: Malformed `malformed-address`.
    Source: RFC 5321, 4.1.2, without quoted and foreign names; E.164.
    """
    if way == "email":
        host = place.rpartition("@")[2]
        labels = host.split(".")
        fine = _MAILBOX.fullmatch(place) and len(labels) > 1
        if not fine or any(not part or part[0] == "-" or part[-1] == "-" for part in labels):
            raise Malformed("malformed-address", "give a mailbox like ada@home.example")
    if way == "sms" and _NUMBER.fullmatch(place) is None:
        raise Malformed("malformed-address", "give a number with its country: +4930901820")
    return place


def address_code_hash(address: str, code: str) -> bytes:
    """Hash a code, with the address that it is for."""
    return hashlib.sha256(f"farthing-address-code-1\n{address}\n{code}".encode()).digest()


def pace_hash(what: str, where: str) -> bytes:
    """Name what is counted: one mailbox is the same however it is capitalised."""
    return hashlib.sha256(f"farthing-notice-pace-1\n{what}\n{where.lower()}".encode()).digest()


def take_pace(view: View, pace: Pace, key: bytes) -> Write | None:
    """Count one more where that is within its pace; None where it is too much."""
    found = view.get(NOTICE_PACES, key)
    recent = [] if found is None else found.recent
    if paced_ns(pace, recent) > view.now_ns:
        return None
    return Write(NOTICE_PACES, NoticePace(key, counted(pace, recent, view.now_ns)))


def own_address(view: View, ident: str, owner: str | None) -> tuple[Address, Listener]:
    """Get an address of somebody of this owner, with what they wish.

    Raises: Missing.
    """
    found = view.get(ADDRESSES, ident)
    if found is None or found.state == "removed" or owner not in (None, found.owner):
        raise Missing("no-such-address", "there is no such address here")
    return found, listener_of(view, person_of(view, found.person, None))


@dataclass(frozen=True, slots=True)
class AddAddress:
    """Take down where a person wants to be told.

    Shape: a browser's push needs no code: only that browser knows its URL, and can read what is
           sent there, and it is of the session in which it was asked for. The same place again is
           the same address, and gets a new code.
    """

    id: str
    person: str
    owner: str | None
    way: str
    place: str
    label: str
    code: str
    keys: str = ""
    session: str = ""
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Asked]:
        """Do it.

        Raises: Conflict `too-many-addresses`; Missing.
        """
        person = person_of(view, self.person, self.owner)
        listener = listener_of(view, person)
        known = addresses_of(view, listener)
        same = [one for one in known if (one.way, one.place) == (self.way, self.place)]
        if same:
            return self._again(view, same[0])
        if len(known) >= ADDRESSES_MAX:
            raise Conflict("too-many-addresses", f"a person has {ADDRESSES_MAX} at most")
        on, now = self.way == "push", view.now_ns
        made = Address(
            self.id, person.id, person.owner, self.way, self.place, self.keys, self.label,
            "on" if on else "unproven", "", b"", 0, 0, now, now if on else 0, 0,
            self.session,
        )  # fmt: skip
        after = msgspec.structs.replace(listener, addresses=[*listener.addresses, made.id])
        kind = Kind.ADDRESS_PROVEN if on else Kind.ADDRESS_ADDED
        fact = Fact(person.owner, kind, made.id, body_of(way=self.way))
        if on:
            return _asked(changed(view, after, fact, addresses=[*known, made], write=made), made)
        asked, paces = _with_code(view, made, self.code)
        done = changed(view, after, fact, addresses=known, write=asked.address)
        return Outcome(asked, [*done.writes, *paces], done.subject, done.statement)

    def _again(self, view: View, known: Address) -> Outcome[Asked]:
        kept = msgspec.structs.replace(
            known, keys=self.keys, label=self.label, session=self.session
        )
        if known.state == "on":
            return Outcome(Asked(kept, send=False), [Write(ADDRESSES, kept)])
        asked, paces = _with_code(view, kept, self.code)
        return Outcome(asked, [Write(ADDRESSES, asked.address), *paces])


def _asked(done: Outcome[Listener], address: Address) -> Outcome[Asked]:
    return Outcome(Asked(address, send=False), done.writes, done.subject, done.statement)


def _with_code(view: View, address: Address, code: str) -> tuple[Asked, list[Write]]:
    """Give an address its new code, as long as neither place nor person had too many."""
    place = pace_hash(f"code by {address.way}", address.place)
    paces = [
        take_pace(view, CODES_PER_PLACE, place),
        take_pace(view, CODES_PER_PERSON, pace_hash("codes of", address.person)),
    ]
    taken = [one for one in paces if one is not None]
    if len(taken) < len(paces):
        return Asked(address, send=False), []
    after = msgspec.structs.replace(
        address,
        code_hash=address_code_hash(address.id, code),
        code_ends_ns=view.now_ns + CODE_SECONDS * NS,
        code_tries=0,
    )
    return Asked(after, send=True), taken


@dataclass(frozen=True, slots=True)
class NewCode:
    """Send another code to an address that is not proven yet."""

    id: str
    owner: str | None
    code: str
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Asked]:
        """Make it. Shape: who asks too often is answered alike, and nothing is sent."""
        address, _ = own_address(view, self.id, self.owner)
        if address.state == "on":
            return Outcome(Asked(address, send=False))
        asked, paces = _with_code(view, address, self.code)
        return Outcome(asked, [Write(ADDRESSES, asked.address), *paces])


@dataclass(frozen=True, slots=True)
class ProveAddress:
    """Show that what is sent to an address is read: by the code that was sent there."""

    id: str
    owner: str | None
    code: str
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Address | None]:
        """Turn it on; None, and one try less, for a wrong code."""
        address, listener = own_address(view, self.id, self.owner)
        if address.state == "on":
            return Outcome(address)
        tried = msgspec.structs.replace(address, code_tries=address.code_tries + 1)
        fresh = view.now_ns < address.code_ends_ns and address.code_tries < CODE_TRIES
        if not fresh or address_code_hash(address.id, self.code) != address.code_hash:
            return Outcome(None, [Write(ADDRESSES, tried)])
        proven = msgspec.structs.replace(
            address, state="on", proven_ns=view.now_ns, code_hash=b"", code_ends_ns=0
        )
        others = [one for one in addresses_of(view, listener) if one.id != address.id]
        fact = Fact(address.owner, Kind.ADDRESS_PROVEN, address.id, body_of(way=address.way))
        done = changed(view, listener, fact, addresses=[*others, proven], write=proven)
        return Outcome(proven, done.writes, done.subject, done.statement)


@dataclass(frozen=True, slots=True)
class RemoveAddress:
    """Tell nothing there any more, and forget where it was.

    Shape: `why` is `owner`, `gone` where nobody is there any more, or `signed-out`.
    """

    id: str
    owner: str | None
    why: str = "owner"
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Address]:
        """Do it once."""
        found = view.get(ADDRESSES, self.id)
        if found is not None and found.state == "removed" and self.owner in (None, found.owner):
            return Outcome(found)
        address, listener = own_address(view, self.id, self.owner)
        gone, fact = removed(view, address, self.why)
        kept = [one for one in listener.addresses if one != address.id]
        after = msgspec.structs.replace(listener, addresses=kept)
        others = addresses_of(view, after)
        done = changed(view, after, fact, addresses=others, write=gone)
        return Outcome(gone, done.writes, done.subject, done.statement)
