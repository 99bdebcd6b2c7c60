"""Idempotency keys: the same key and content get the first answer, other content is refused."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from farthing.clock import NS
from farthing.core.decisions import Outcome, Plan, Unit, View
from farthing.core.ledger import TransferResult
from farthing.core.paying import Authorise
from farthing.core.payments import PAYMENTS, Authorised, State
from farthing.core.records import Read, Table, Write
from farthing.errors import Conflict

T = TypeVar("T")
KEPT_SECONDS = 86400
_TOOK_NOTHING = (State.REFUSED, State.VOIDED, State.EXPIRED)


class Remembered(msgspec.Struct, frozen=True):
    """The first answer under a key. Shape: `answer` is empty where it held a secret."""

    key: bytes
    content: bytes
    status: int
    answer: str
    payment: str
    created_ns: int


IDEMPOTENCY = Table("idempotency", Remembered, "key", passing=True)


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer's status and JSON, and whether it was given before."""

    status: int
    body: bytes
    again: bool


def content_hash(*parts: bytes) -> bytes:
    """Hash what was asked, so that it can be compared and need not be kept."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def idempotency_key(principal: str, method: str, route: str, key: str) -> bytes:
    """Scope a key to who asks and what for."""
    parts = "\n".join((principal, method, route, key))
    return hashlib.sha256(b"farthing-idempotency-1\n" + parts.encode()).digest()


def always(_answer: Any) -> bool:
    """Take every answer for the last word."""
    return True


@dataclass(frozen=True, slots=True)
class Once(Generic[T]):
    """Do a unit once per key, and give its first answer ever after (for a day).

    Shape: `content` is a hash of what was asked; `render` turns the unit's answer into JSON;
           `secret` answers are not kept, and those that are not `final` can be asked for again;
           an empty `key` means that the caller asked for no such thing. Both are functions that
           have a name: the unit may be decided in another process.
    """

    unit: Unit[T]
    key: bytes
    content: bytes
    status: int
    render: Callable[[T], bytes]
    secret: bool = False
    final: Callable[[T], bool] = always

    @property
    def reads(self) -> Sequence[Read]:
        """What the unit reads, and the key."""
        mine = [Read(IDEMPOTENCY, self.key)] if self.key else []
        return [*self.unit.reads, *mine]

    @property
    def accounts(self) -> Sequence[int]:
        """What the unit touches."""
        return self.unit.accounts

    def plan(self, view: View) -> Plan[Answered] | Outcome[Answered]:
        """Answer as before, or do the unit and remember its answer in the same commit."""
        before = _remembered(view, self.key, self.content)
        if before is not None:
            return _again(before)
        planned = self.unit.plan(view)
        if isinstance(planned, Outcome):
            return self._remember(view, planned)
        then = planned.then

        def remembering(results: list[list[TransferResult]]) -> Outcome[Answered]:
            return self._remember(view, then(results))

        return Plan(remembering, planned.accounts, planned.chains)

    def _remember(self, view: View, outcome: Outcome[T]) -> Outcome[Answered]:
        body = self.render(outcome.answer)
        writes: list[Any] = list(outcome.writes)
        if self.key and self.final(outcome.answer):
            kept = Remembered(
                self.key,
                self.content,
                self.status,
                "" if self.secret else body.decode(),
                "",
                view.now_ns,
            )
            writes.append(Write(IDEMPOTENCY, kept))
        answered = Answered(self.status, body, again=False)
        return Outcome(answered, writes, outcome.subject, outcome.statement)


@dataclass(frozen=True, slots=True)
class Keyed:
    """Authorise a payment under a key: one payment per key and content, however often signed.

    Shape: an order that was recorded is answered by its nonce. A new order under a known key is
           answered with the key's first payment, unless that took no money in the end.
    """

    unit: Authorise
    key: bytes
    content: bytes

    @property
    def reads(self) -> Sequence[Read]:
        """What the payment reads, and the key."""
        return [*self.unit.reads, Read(IDEMPOTENCY, self.key)]

    @property
    def accounts(self) -> Sequence[int]:
        """What the payment touches."""
        return self.unit.accounts

    def plan(self, view: View) -> Plan[Authorised] | Outcome[Authorised]:
        """Give the first payment, or authorise one and remember it in the same commit."""
        before = _remembered(view, self.key, self.content)
        if before is not None and self.unit.recorded(view) is not None:
            return self.unit.plan(view)
        first = view.get(PAYMENTS, before.payment) if before is not None else None
        if first is not None and first.state not in _TOOK_NOTHING:
            self.unit.admit(view)
            return self.unit.answer(view, first)
        planned = self.unit.plan(view)
        if isinstance(planned, Outcome):
            return self._remember(view, planned)
        then = planned.then

        def remembering(results: list[list[TransferResult]]) -> Outcome[Authorised]:
            return self._remember(view, then(results))

        return Plan(remembering, planned.accounts, planned.chains)

    def _remember(self, view: View, outcome: Outcome[Authorised]) -> Outcome[Authorised]:
        payment = outcome.answer.payment.id
        kept = Remembered(self.key, self.content, 0, "", payment, view.now_ns)
        writes = [*outcome.writes, Write(IDEMPOTENCY, kept)]
        return Outcome(outcome.answer, writes, outcome.subject, outcome.statement)


def _remembered(view: View, key: bytes, content: bytes) -> Remembered | None:
    before = view.get(IDEMPOTENCY, key) if key else None
    if before is None or before.created_ns <= view.now_ns - KEPT_SECONDS * NS:
        return None
    if before.content != content:
        raise Conflict("idempotency-key-reused", "this key was used with another request")
    return before


def _again(before: Remembered) -> Outcome[Answered]:
    if not before.answer:
        raise Conflict(
            "secret-shown-once", "this was done; its secret was shown with the first answer"
        )
    return Outcome(Answered(before.status, before.answer.encode(), again=True))
