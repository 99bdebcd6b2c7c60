"""Two people guard the line above which two approve: one wants it changed, another one agrees.

What one of them wants is kept in the mandate's own record, which stays as it is meanwhile; so the
history has it, and whatever else changes the mandate ends it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from farthing.clock import NS
from farthing.codec import to_base64url
from farthing.core.decisions import Outcome, Plan, View
from farthing.core.events import Fact, Kind
from farthing.core.facts import body_of, state_change
from farthing.core.mandates import MANDATES, Mandate, SetMandate
from farthing.core.people import PEOPLE, require_person
from farthing.core.records import Read, Write
from farthing.core.said import By
from farthing.errors import Conflict, Forbidden, Missing

AGREE_SECONDS = 3 * 86_400
"""How long somebody else has to agree."""


class Proposed(msgspec.Struct, frozen=True):
    """What somebody wants a mandate to be. Units: `at_ns` is the book's time."""

    wanted: Mandate
    who: str
    at_ns: int

    @property
    def ends_ns(self) -> int:
        """From when on nobody can agree any more."""
        return self.at_ns + AGREE_SECONDS * NS


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Proposed).decode


@lru_cache(maxsize=256)
def _read(text: str) -> Proposed:
    return _decode(text)


def proposed_of(mandate: Mandate, now_ns: int) -> Proposed | None:
    """Read what somebody else may agree to; None where nothing waits, or it waited too long."""
    if not mandate.proposed or mandate.revoked_ns:
        return None
    found = _read(mandate.proposed)
    return found if now_ns < found.ends_ns else None


def agreement_of(mandate: Mandate) -> str:
    """Hash what somebody agrees to: exactly this change, of the mandate as it is."""
    content = f"farthing-agreement-1\n{mandate.id}\n{mandate.revision}\n{mandate.proposed}"
    return to_base64url(hashlib.sha256(content.encode()).digest())


@dataclass(frozen=True, slots=True)
class ProposeMandate:
    """Want a mandate to be what one person alone cannot make it. Shape: `revision` is its own."""

    wanted: Mandate
    who: str
    revision: int
    accounts: Sequence[int] = ()

    @property
    def reads(self) -> Sequence[Read]:
        """The mandate and who wants it."""
        return [Read(MANDATES, self.wanted.id), Read(PEOPLE, self.who)]

    def plan(self, view: View) -> Outcome[Mandate]:
        """Keep it until somebody agrees; a newer wish is in the place of an older one.

        Raises: Missing; Conflict `mandate-changed`; Forbidden `guardian-needed`.
        """
        before = _mandate(view, self.wanted.id)
        _check_guardian(view, self.who, before)
        if before.revision != self.revision or before.revoked_ns:
            raise Conflict("mandate-changed", "it was changed meanwhile; look at it again")
        # Names are people's own words, and kept where they can be deleted.
        wanted = msgspec.structs.replace(self.wanted, proposed="", name="")
        kept = _encode(Proposed(wanted, self.who, view.now_ns)).decode()
        after = msgspec.structs.replace(before, proposed=kept)
        body = body_of(revision=before.revision, proposed_by=self.who)
        fact = Fact(before.owner, Kind.MANDATE_PROPOSED, before.id, body)
        return state_change(view, after, [fact], [Write(MANDATES, after)])


@dataclass(frozen=True, slots=True)
class AgreeToMandate:
    """Agree to what another person wants, and set it. Shape: `agreement` is `agreement_of` it."""

    mandate: str
    who: str
    agreement: str
    change: int
    accounts: Sequence[int] = ()

    @property
    def reads(self) -> Sequence[Read]:
        """The mandate and who agrees."""
        return [Read(MANDATES, self.mandate), Read(PEOPLE, self.who)]

    def plan(self, view: View) -> Plan[Mandate]:
        """Set it as it was wanted, if both are still here and are not the same.

        Raises: Missing; Conflict `mandate-changed`; Forbidden `two-people-needed`,
                `guardian-needed`.
        """
        before = _mandate(view, self.mandate)
        _check_guardian(view, self.who, before)
        proposed = proposed_of(before, view.now_ns)
        if proposed is None or agreement_of(before) != self.agreement:
            raise Conflict("mandate-changed", "it was changed meanwhile; look at it again")
        if proposed.who == self.who:
            raise Forbidden("two-people-needed", "you want it; somebody else agrees to it")
        first = view.get(PEOPLE, proposed.who)
        if first is None or first.removed_ns or first.is_ward:
            raise Conflict("mandate-changed", "who wanted it is not here any more")
        told = body_of(proposed_by=proposed.who, agreed_by=self.who)
        wanted = msgspec.structs.replace(proposed.wanted, name=before.name)
        revision = before.revision
        unit = SetMandate(wanted, before.owner, self.change, False, revision, agreed=told)
        return unit.plan(view)


@dataclass(frozen=True, slots=True)
class DeclineMandate:
    """Let what somebody wants of a mandate be: who wants it, anybody else of the owner's, a key."""

    mandate: str
    owner: str | None
    by: By
    accounts: Sequence[int] = ()

    @property
    def reads(self) -> Sequence[Read]:
        """The mandate."""
        return [Read(MANDATES, self.mandate)]

    def plan(self, view: View) -> Outcome[Mandate]:
        """End it; again is no harm."""
        before = _mandate(view, self.mandate)
        if self.owner not in (None, before.owner):
            raise _nothing_here()
        if not before.proposed:
            return Outcome(before)
        after = msgspec.structs.replace(before, proposed="")
        body = body_of(revision=before.revision, declined_by=self.by.who or self.by.means.value)
        fact = Fact(before.owner, Kind.MANDATE_DECLINED, before.id, body)
        return state_change(view, after, [fact], [Write(MANDATES, after)])


def _mandate(view: View, ident: str) -> Mandate:
    found = view.get(MANDATES, ident)
    if found is None:
        raise _nothing_here()
    return found


def _nothing_here() -> Missing:
    return Missing("no-such-mandate", "there is no such mandate here")


def _check_guardian(view: View, who: str, mandate: Mandate) -> None:
    """Refuse who may not say what a mandate allows.

    Raises: Missing; Forbidden `guardian-needed`.
    """
    person = require_person(view, who)
    if person.owner != mandate.owner:
        raise _nothing_here()
    if person.is_ward:
        raise Forbidden("guardian-needed", "your guardian says what is allowed here")
