"""Idempotency keys: the same key and content get the first answer, other content is refused."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from farthing.core.decisions import Outcome, Plan, Unit, View
from farthing.core.ledger import TransferResult
from farthing.core.records import Read, Table, Write
from farthing.errors import Conflict

T = TypeVar("T")
KEPT_SECONDS = 86400


class Remembered(msgspec.Struct, frozen=True):
    """The first answer under a key. Shape: `answer` is empty where it held a secret."""

    key: bytes
    content: bytes
    status: int
    answer: str
    payment: str
    created_ns: int


IDEMPOTENCY = Table("idempotency", Remembered, "key")


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer's status and JSON, and whether it was given before."""

    status: int
    body: bytes
    again: bool


def idempotency_key(principal: str, method: str, route: str, key: str) -> bytes:
    """Scope a key to who asks and what for."""
    parts = "\n".join((principal, method, route, key))
    return hashlib.sha256(b"farthing-idempotency-1\n" + parts.encode()).digest()


@dataclass(frozen=True, slots=True)
class Once(Generic[T]):
    """Do a unit once per key, and give its first answer ever after (for a day).

    Shape: `render` turns the unit's answer into JSON; `secret` answers are not kept; an empty
           `key` means that the caller asked for no such thing.
    """

    unit: Unit[T]
    key: bytes
    content: bytes
    status: int
    render: Callable[[T], bytes]
    secret: bool = False
    payment_of: Callable[[T], str] = lambda _answer: ""

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
        before = view.get(IDEMPOTENCY, self.key) if self.key else None
        if before is not None and before.created_ns > view.now_ns - KEPT_SECONDS * 10**9:
            return self._again(before)
        planned = self.unit.plan(view)
        if isinstance(planned, Outcome):
            return self._remember(view, planned)
        then = planned.then

        def remembering(results: list[list[TransferResult]]) -> Outcome[Answered]:
            return self._remember(view, then(results))

        return Plan(remembering, planned.accounts, planned.chains)

    def _again(self, before: Remembered) -> Outcome[Answered]:
        if before.content != self.content:
            raise Conflict("idempotency-key-reused", "this key was used with another request")
        if not before.answer:
            raise Conflict(
                "secret-shown-once", "this was done; its secret was shown with the first answer"
            )
        return Outcome(Answered(before.status, before.answer.encode(), again=True))

    def _remember(self, view: View, outcome: Outcome[T]) -> Outcome[Answered]:
        body = self.render(outcome.answer)
        writes: list[Any] = list(outcome.writes)
        if self.key:
            kept = Remembered(
                self.key,
                self.content,
                self.status,
                "" if self.secret else body.decode(),
                self.payment_of(outcome.answer),
                view.now_ns,
            )
            writes.append(Write(IDEMPOTENCY, kept))
        answered = Answered(self.status, body, again=False)
        return Outcome(answered, writes, outcome.subject, outcome.statement)
