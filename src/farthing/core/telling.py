"""Telling a notice: intended before it is sent anywhere, and recorded afterwards.

Mail and pushes cannot be looked up. Who is killed while one is sent does not know whether it went
out: then security is told again, under the same id, and everything else is not told twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from farthing import ids
from farthing.core.addresses import NOTICES_PER_PLACE, pace_hash, take_pace
from farthing.core.decisions import Outcome, View
from farthing.core.listeners import NOTICE_LANES, Address, NoticeLane
from farthing.core.notices import LANES, Class, counted
from farthing.core.people import PEOPLE
from farthing.core.records import Read, Table, Write

UNCLEAR = "unclear"
"""What became of a notice while the hub was stopped hard."""


class NoticeTry(msgspec.Struct, frozen=True):
    """One try to tell one notice at one address.

    Units: `events` is how many it tells; `status` is the answer's code, 0 where there was none.
    Shape: `notice` is the same however often it is tried; `fault` is empty where it was told.
    """

    id: str
    person: str
    owner: str
    notice: str
    about: str
    way: str
    address: str
    events: int
    attempt: int
    status: int
    fault: str
    took_ms: int
    time_ns: int


NOTICE_TRIES = Table("notice_tries", NoticeTry, "id", passing=True)


class Begun(msgspec.Struct, frozen=True):
    """A notice that may be sent now, and to which addresses. Shape: None where it may not."""

    lane: NoticeLane | None
    addresses: list[str] = []


@dataclass(frozen=True, slots=True)
class BeginNotice:
    """Intend to tell the events of a lane up to `upto`.

    Shape: `before` is the lane as it was read: where it has moved since, nothing is begun.
           Addresses to which too much was sent are left out.
    """

    before: NoticeLane
    upto: int
    addresses: Sequence[Address]
    accounts: Sequence[int] = ()

    @property
    def reads(self) -> Sequence[Read]:
        """The lane."""
        return [Read(NOTICE_LANES, self.before.id)]

    def plan(self, view: View) -> Outcome[Begun]:
        """Write the intention, and count it against the pace of each place."""
        if view.get(NOTICE_LANES, self.before.id) != self.before:
            return Outcome(Begun(None))
        writes, fine = list[Write](), list[str]()
        for one in self.addresses:
            taken = take_pace(view, NOTICES_PER_PLACE, pace_hash(f"told by {one.way}", one.place))
            if taken is not None:
                writes.append(taken)
                fine.append(one.id)
        after = msgspec.structs.replace(
            self.before, upto=self.upto, attempts=self.before.attempts + 1, next_ns=0
        )
        return Outcome(Begun(after, fine), [*writes, Write(NOTICE_LANES, after)])


@dataclass(frozen=True, slots=True)
class EndNotice:
    """Record what became of a notice: it is over, or it is tried again.

    Units: `again_ns` is when, in Unix ns; 0 where it is over.
    """

    before: NoticeLane
    tries: Sequence[NoticeTry]
    again_ns: int = 0
    accounts: Sequence[int] = ()

    @property
    def reads(self) -> Sequence[Read]:
        """The lane."""
        return [Read(NOTICE_LANES, self.before.id)]

    def plan(self, view: View) -> Outcome[NoticeLane | None]:
        """Move the lane on; None where it moved meanwhile, and only the tries are noted."""
        writes = [Write(NOTICE_TRIES, one) for one in self.tries]
        found = view.get(NOTICE_LANES, self.before.id)
        if found is None or (found.number, found.upto) != (self.before.number, self.before.upto):
            return Outcome(None, writes)
        if self.again_ns:
            after = msgspec.structs.replace(found, next_ns=self.again_ns)
        else:
            sent = any(not one.fault for one in self.tries)
            recent = found.recent
            if sent:
                recent = counted(found.lane.pace, recent, view.now_ns)
            after = msgspec.structs.replace(
                found, number=found.upto, upto=0, attempts=0, next_ns=0, recent=recent
            )
        return Outcome(after, [*writes, Write(NOTICE_LANES, after)])


SHOWN = "shown"
"""What stands as the way where a browser says that it has shown a pushed notice."""


def shown_id(notice: str) -> str:
    """Name what is noted when a notice is shown: once, whichever browser shows it."""
    return ids.name("ntr", ids.derived(0, "farthing-shown-1", notice))


@dataclass(frozen=True, slots=True)
class NoteShown:
    """Note that a browser has shown a notice to whom it was for; again is no harm."""

    notice: str
    accounts: Sequence[int] = ()

    @property
    def person(self) -> str:
        """Whom the notice was for."""
        return self.notice.partition(".")[0]

    @property
    def reads(self) -> Sequence[Read]:
        """The person, and an earlier note."""
        return [Read(PEOPLE, self.person), Read(NOTICE_TRIES, shown_id(self.notice))]

    def plan(self, view: View) -> Outcome[None]:
        """Note it, once."""
        ident, person = shown_id(self.notice), view.get(PEOPLE, self.person)
        if person is None or view.get(NOTICE_TRIES, ident) is not None:
            return Outcome(None)
        about = LANES[self.notice.split(".")[1]].about.value
        made = NoticeTry(
            ident, person.id, person.owner, self.notice, about, SHOWN, "", 0, 0, 0, "", 0,
            view.now_ns,
        )  # fmt: skip
        return Outcome(None, [Write(NOTICE_TRIES, made)])


def told_again(lane: NoticeLane) -> bool:
    """Tell whether a notice that may have been told already is told again."""
    return lane.lane.about is Class.SECURITY
