"""Payments, and what became of them."""

from typing import Any, NotRequired, TypedDict

from farthing.web.api.answers.accounts import FeeAnswer


class RiskReason(TypedDict):
    """What one rule said of an order; `acts` is false of a rule that is only watched."""

    rule: str
    said: str
    acts: bool


class RiskAnswer(TypedDict):
    """What was odd about an order: what was done, and what would be with the rules in shadow."""

    act: str
    would: str
    typologies: list[str]
    reasons: list[RiskReason]


class SaidAnswer(TypedDict):
    """One answer to an ask: `by` is a person's id or a key's, null where it was the hub's own.

    `means` is `passkey`, `session`, `notice`, `key`, `operator` or `deadline`.
    """

    answer: str
    by: str | None
    means: str
    at: str


class PaymentAnswer(TypedDict):
    """A payment; `reason` is a refusal's code. A receipt is given where one payment is shown.

    `fees` has the fees that it is under, if it is under any. `risk` is what was odd about its
    order, if anything was, and `answers` who answered what its owner was asked; the payer's owner
    and the operator see these two.
    """

    id: str
    state: str
    reason: str | None
    detail: str | None
    payer: str
    device: str
    payee: str
    asset: str
    amount: str
    captured: str
    refunded: str
    category: str | None
    resource: str | None
    challenge: str | None
    delivery: str | None
    hold_ends: str | None
    ask_ends: str | None
    money: str
    created_at: str
    changed_at: str
    fees: NotRequired[list[FeeAnswer]]
    risk: NotRequired[RiskAnswer]
    answers: NotRequired[list[SaidAnswer]]
    receipt: NotRequired[dict[str, Any] | None]


class BatchItem(TypedDict):
    """What became of one order of many; `problem` says why nothing was paid."""

    id: str | None
    state: str | None
    problem: dict[str, Any] | None


class BatchAnswer(TypedDict):
    """What became of each order, in their order."""

    payments: list[BatchItem]


class RefundAnswer(TypedDict):
    """A refund; `refunded` is all that was given back of its payment."""

    id: str
    payment: str
    state: str
    units: str
    asset: str
    reason: str
    refunded: str
    created_at: str
