"""Cases: what was flagged or stopped, until somebody has looked at it and said what it was.

A case is written in the commit that flags its payment, under a name that follows from the
payment's; a decision is a label that later models and backtests can read. It moves no money: what
becomes of a payment is its owner's to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from farthing import ids
from farthing.core.decisions import Outcome, View
from farthing.core.events import Fact, Kind
from farthing.core.facts import body_of, state_change
from farthing.core.owners import OPERATOR_OWNER
from farthing.core.payments import Payment
from farthing.core.records import Read, Table, Write
from farthing.errors import Conflict, Malformed, Missing

REASON_CHARACTERS_MAX = 1000
STEPS_MAX = 50
"""How often people may think anew of one case."""


class Standing(StrEnum):
    """How far a case is: `proposed` waits for a second person."""

    OPEN = "open"
    PROPOSED = "proposed"
    DECIDED = "decided"


class Verdict(StrEnum):
    """What a payment was, as far as people can tell."""

    FRAUD = "fraud"
    LEGITIMATE = "legitimate"
    UNCLEAR = "unclear"


class Step(msgspec.Struct, frozen=True):
    """One thing that somebody said of a case. Shape: `state` is what it led to."""

    state: Standing
    verdict: Verdict
    reason: str
    by: str
    at_ns: int


class Case(msgspec.Struct, frozen=True):
    """One flagged payment, and what was said of it.

    Shape: `verdict` is empty while it is open; `proposed_by` is whose verdict a second person has
           to share, or had; `steps` are oldest first.
    """

    id: str
    payment: str
    owner: str
    device: str
    payee: str
    state: Standing
    verdict: str
    proposed_by: str
    decided_by: str
    opened_ns: int
    changed_ns: int
    steps: list[Step]


CASES = Table("cases", Case, "id", free=("steps",))


_PLACE = 31
"""Nothing else is stated under it: what the history says of a case is not said of its payment."""


def case_name(payment: Payment) -> str:
    """Name the case of a payment: every hub gives it the same name."""
    return ids.name("cas", ids.place(payment.number, _PLACE))


def opened(payment: Payment) -> Case:
    """Give the case as it is when its payment is flagged, which all follows from the payment."""
    return Case(
        case_name(payment), payment.id, payment.owner, payment.device, payment.payee,
        Standing.OPEN, "", "", "", payment.created_ns, payment.created_ns, [],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class DecideCase:
    """Say what a payment was, and why.

    Shape: with `four_eyes` the first verdict is a proposal, until somebody else says the same;
           `anew` decides once more what was decided.
    """

    case: str
    verdict: Verdict
    reason: str
    by: str
    four_eyes: bool = False
    anew: bool = False
    accounts: Sequence[int] = ()

    @property
    def reads(self) -> Sequence[Read]:
        """The case."""
        return [Read(CASES, self.case)]

    def plan(self, view: View) -> Outcome[Case]:
        """Do it once: the same from the same person again changes nothing.

        Raises: Missing `no-such-case`; Malformed `reason-missing`, `reason-too-long`;
                Conflict `case-decided`, `case-closed`.
        """
        case = view.get(CASES, self.case)
        if case is None:
            raise Missing("no-such-case", "there is no such case here")
        self._check_reason()
        if case.state is Standing.DECIDED and not self._decides_anew(case):
            return Outcome(case)
        if case.state is Standing.PROPOSED and self.four_eyes and self._said_by_me(case):
            return Outcome(case)
        if len(case.steps) >= STEPS_MAX:
            raise Conflict("case-closed", f"a case is looked at {STEPS_MAX} times at most")
        return self._said(view, case)

    def _check_reason(self) -> None:
        if not self.reason.strip():
            raise Malformed("reason-missing", "say why, in a sentence")
        if len(self.reason) > REASON_CHARACTERS_MAX:
            raise Malformed("reason-too-long", f"at most {REASON_CHARACTERS_MAX} characters")

    def _decides_anew(self, case: Case) -> bool:
        """Tell whether a decision is to be replaced; an equal one is there already."""
        if case.verdict == self.verdict and case.decided_by == self.by:
            return False
        if self.anew:
            return True
        raise Conflict("case-decided", f"{case.decided_by} has decided that this is {case.verdict}")

    def _said_by_me(self, case: Case) -> bool:
        return case.proposed_by == self.by and case.verdict == self.verdict

    def _said(self, view: View, case: Case) -> Outcome[Case]:
        shared = case.state is Standing.PROPOSED and case.verdict == self.verdict
        decided = not self.four_eyes or (shared and case.proposed_by != self.by)
        state = Standing.DECIDED if decided else Standing.PROPOSED
        step = Step(state, self.verdict, self.reason.strip(), self.by, view.now_ns)
        after = msgspec.structs.replace(
            case,
            state=state,
            verdict=self.verdict.value,
            proposed_by=case.proposed_by if decided and shared else "" if decided else self.by,
            decided_by=self.by if decided else "",
            changed_ns=view.now_ns,
            steps=[*case.steps, step],
        )
        kind = Kind.CASE_DECIDED if decided else Kind.CASE_PROPOSED
        fact = Fact(OPERATOR_OWNER, kind, case.id, _body(after, step))
        return state_change(view, after, [fact], [Write(CASES, after)])


def _body(case: Case, step: Step) -> dict[str, str]:
    return body_of(
        payment=case.payment,
        verdict=step.verdict.value,
        reason=step.reason,
        by=step.by,
        proposed_by=(case.proposed_by or None) if case.state is Standing.DECIDED else None,
    )
