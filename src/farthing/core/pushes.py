"""Pushes end where one signs out: a browser that others use tells them nothing of who has left.

A session that ran out by itself is no sign-out: who is asked goes on being asked there.
"""

from collections.abc import Collection
from typing import NamedTuple

import msgspec

from farthing.codec import to_base64url
from farthing.core.decisions import View
from farthing.core.events import Fact, Kind
from farthing.core.facts import body_of
from farthing.core.listeners import ADDRESSES, LISTENERS, Address, addresses_of, lane_writes
from farthing.core.records import Write

SIGNED_OUT = "signed-out"


class Following(NamedTuple):
    """What follows for pushes from how a session changed."""

    facts: list[Fact]
    writes: list[Write]


def session_name(session: bytes) -> str:
    """Name a session, by its hash, where pushes were asked for in it; nothing for none."""
    return to_base64url(session)


def removed(view: View, address: Address, why: str) -> tuple[Address, Fact]:
    """Forget where an address was, and say why nothing is told there."""
    after = msgspec.structs.replace(
        address, place="", keys="", label="", code_hash=b"", code_ends_ns=0, session="",
        state="removed", why=why, removed_ns=view.now_ns,
    )  # fmt: skip
    body = body_of(way=address.way, why=why)
    return after, Fact(address.owner, Kind.ADDRESS_REMOVED, address.id, body)


def pushes_end(view: View, person: str, sessions: Collection[bytes]) -> Following:
    """Push nothing any more to the browsers that asked for it in these sessions of a person."""
    listener = view.get(LISTENERS, person)
    asked = _asked_in(view, person, sessions)
    if listener is None or not asked:
        return Following([], [])
    done = [removed(view, one, SIGNED_OUT) for one in asked]
    gone = {one.id for one in asked}
    kept = [ident for ident in listener.addresses if ident not in gone]
    after = msgspec.structs.replace(listener, addresses=kept)
    writes = [Write(LISTENERS, after), *(Write(ADDRESSES, one) for one, _ in done)]
    lanes = lane_writes(view, after, addresses_of(view, after))
    return Following([fact for _, fact in done], [*writes, *lanes])


def pushes_go_on(view: View, person: str, before: bytes, session: bytes) -> Following:
    """Have a browser's pushes be of the session that follows one of the same person."""
    name = session_name(session)
    moved = [
        msgspec.structs.replace(one, session=name) for one in _asked_in(view, person, [before])
    ]
    return Following([], [Write(ADDRESSES, one) for one in moved])


def _asked_in(view: View, person: str, sessions: Collection[bytes]) -> list[Address]:
    listener, names = view.get(LISTENERS, person), {session_name(one) for one in sessions if one}
    if listener is None:
        return []
    found = addresses_of(view, listener)
    return [one for one in found if one.way == "push" and one.session in names]
