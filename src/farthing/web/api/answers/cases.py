"""What was flagged, and what was decided of it."""

from typing import TypedDict

from farthing.web.api.answers.payments import PaymentAnswer


class CaseStep(TypedDict):
    """One thing that somebody said of a case, and what that led to."""

    state: str
    verdict: str
    reason: str
    by: str
    at: str


class CaseAnswer(TypedDict):
    """A flagged payment, and what was said of it."""

    id: str
    payment: str
    owner: str
    device: str
    payee: str
    state: str
    verdict: str | None
    proposed_by: str | None
    decided_by: str | None
    opened_at: str
    changed_at: str
    steps: list[CaseStep]


class RelatedAnswer(TypedDict):
    """A payment that has to do with a case's: `by` says by the same `device` or `payee`."""

    payment: str
    by: str
    device: str
    payee: str
    asset: str
    amount: str
    state: str
    created_at: str
    case: str | None
    verdict: str | None


class CaseFileAnswer(CaseAnswer):
    """A case with its payment, and the payments that have to do with it, newest first."""

    of: PaymentAnswer
    related: list[RelatedAnswer]
