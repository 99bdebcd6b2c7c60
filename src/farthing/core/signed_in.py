"""Where people are signed in, and what a passkey has confirmed: each challenge counts once."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from farthing.clock import NS
from farthing.core.decisions import Outcome, Plan, Unit, View
from farthing.core.events import Fact, Kind
from farthing.core.facts import body_of, state_change
from farthing.core.ledger import TransferResult
from farthing.core.people import PASSKEYS, Passkey, usable_passkey
from farthing.core.pushes import Following, pushes_end, pushes_go_on
from farthing.core.records import Read, Table, Write
from farthing.errors import Conflict, Missing

T = TypeVar("T")

DAY_SECONDS = 86_400
LASTS_SECONDS = 14 * DAY_SECONDS
"""A person signs in anew after this, whatever happens."""

IDLE_SECONDS = 3 * DAY_SECONDS
"""A person who was away for so long signs in anew."""

SEEN_EVERY_SECONDS = 600
"""How exactly it is kept when a person was here last."""


class SignedIn(msgspec.Struct, frozen=True):
    """One browser in which a person is signed in; only the hash of its secret is kept.

    Units: ns; `ended_ns` is 0 while it may be used.
    Shape: it began with `passkey`, or by the organisation's word on `identity`.
    """

    hash: bytes
    person: str
    passkey: str
    agent: str
    created_ns: int
    seen_ns: int
    ends_ns: int
    ended_ns: int = 0
    identity: str = ""

    def holds_at(self, now_ns: int) -> bool:
        """Tell whether who shows the secret is still let in."""
        idle = now_ns - self.seen_ns > IDLE_SECONDS * NS
        return not self.ended_ns and not idle and now_ns < self.ends_ns


class Answered(msgspec.Struct, frozen=True):
    """A challenge that a passkey has answered, for which act; kept until it would be too old."""

    hash: bytes
    person: str
    act: str
    passkey: str
    until_ns: int


SIGNED_IN = Table("signed_in", SignedIn, "hash")
ANSWERED = Table("answered_challenges", Answered, "hash", passing=True)


def session_hash(secret: str) -> bytes:
    """Hash a browser's secret, which has 256 random bits."""
    return hashlib.sha256(b"farthing-signed-in-1\n" + secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class SignIn:
    """Sign a person in: a new secret, never one that the browser brought along.

    Shape: `before` is the session that this browser had, which ends.
    """

    passkey: str
    hash: bytes
    agent: str
    sign_count: int
    before: bytes = b""
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[SignedIn]:
        """Write the session, and when the passkey was used."""
        passkey, person = usable_passkey(view, self.passkey)
        used = msgspec.structs.replace(passkey, sign_count=self.sign_count, used_ns=view.now_ns)
        ends = view.now_ns + LASTS_SECONDS * NS
        made = SignedIn(
            self.hash, person.id, passkey.id, self.agent, view.now_ns, view.now_ns, ends
        )
        fact = Fact(person.owner, Kind.PERSON_SIGNED_IN, person.id, body_of(agent=self.agent))
        left = followed(view, self.before, made)
        writes = [Write(PASSKEYS, used), Write(SIGNED_IN, made), *left.writes]
        return state_change(view, made, [fact, *left.facts], writes)


def ended(view: View, *sessions: bytes) -> list[Write]:
    """End sessions that are there and have not ended."""
    found = [view.get(SIGNED_IN, one) for one in sessions if one]
    return [
        Write(SIGNED_IN, msgspec.structs.replace(one, ended_ns=view.now_ns))
        for one in found
        if one is not None and not one.ended_ns
    ]


def followed(view: View, before: bytes, made: SignedIn) -> Following:
    """End the session that a browser had. Its pushes are of the new one, or end with who left."""
    found = view.get(SIGNED_IN, before) if before else None
    if found is None:
        return Following([], [])
    if found.person == made.person:
        left = pushes_go_on(view, found.person, before, made.hash)
    else:
        left = pushes_end(view, found.person, [before])
    return Following(left.facts, [*ended(view, before), *left.writes])


@dataclass(frozen=True, slots=True)
class EndSessions:
    """Sign a person out of some browsers, from the next request on, and push nothing there."""

    person: str
    sessions: Sequence[bytes]
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[int]:
        """End those that are theirs; again is no harm."""
        for one in self.sessions:
            found = view.get(SIGNED_IN, one)
            if found is None or found.person != self.person:
                raise Missing("no-such-sign-in", "there is no such sign-in here")
        writes = ended(view, *self.sessions)
        left = pushes_end(view, self.person, self.sessions)
        if not left.facts:
            return Outcome(len(writes), writes)
        return state_change(view, len(writes), left.facts, [*writes, *left.writes])


@dataclass(frozen=True, slots=True)
class Seen:
    """Note that a person was here."""

    hash: bytes
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[bool]:
        """Note it, where the session still holds."""
        found = view.get(SIGNED_IN, self.hash)
        if found is None or not found.holds_at(view.now_ns):
            return Outcome(answer=False)
        after = msgspec.structs.replace(found, seen_ns=view.now_ns)
        return Outcome(True, [Write(SIGNED_IN, after)])


@dataclass(frozen=True, slots=True)
class Confirmed(Generic[T]):
    """Do what a person has confirmed with a passkey, and let that challenge count no more.

    Shape: `answered.until_ns` is when the challenge is too old anyway, by the clock: the books'
           time may be ahead of it, and people sign in all the same.
    """

    unit: Unit[T]
    answered: Answered
    sign_count: int

    @property
    def reads(self) -> Sequence[Read]:
        """What the unit reads, and the challenge."""
        return [*self.unit.reads, Read(ANSWERED, self.answered.hash)]

    @property
    def accounts(self) -> Sequence[int]:
        """What the unit touches."""
        return self.unit.accounts

    def plan(self, view: View) -> Plan[T] | Outcome[T]:
        """Refuse a challenge that was answered, and remember this one with what it was for."""
        if view.get(ANSWERED, self.answered.hash) is not None:
            raise Conflict("challenge-used", "this was confirmed already")
        planned = self.unit.plan(view)
        if isinstance(planned, Outcome):
            return self._remember(view, planned)
        then = planned.then

        def remembering(results: list[list[TransferResult]]) -> Outcome[T]:
            return self._remember(view, then(results))

        return Plan(remembering, planned.accounts, planned.chains)

    def _remember(self, view: View, outcome: Outcome[T]) -> Outcome[T]:
        writes: list[Any] = [*outcome.writes, Write(ANSWERED, self.answered)]
        passkey = view.get(PASSKEYS, self.answered.passkey)
        written = any(_is_of(write, passkey) for write in outcome.writes)
        if passkey is not None and not written:
            used = msgspec.structs.replace(passkey, sign_count=self.sign_count, used_ns=view.now_ns)
            writes.append(Write(PASSKEYS, used))
        return Outcome(outcome.answer, writes, outcome.subject, outcome.statement)


def _is_of(write: Write, passkey: Passkey | None) -> bool:
    row = write.row
    return isinstance(row, Passkey) and passkey is not None and row.id == passkey.id
