"""What the API answers of sessions, vouchers and ticks, as types."""

from typing import Any, NotRequired, TypedDict

from farthing.web.api.answers import PaymentAnswer


class SessionAnswer(TypedDict):
    """A session; its tariff is given where one session is shown.

    Shape: `voucher` is the highest one in base64url; `ticks` and `tick` are the count and the
           value of the highest tick of its ladder. All may be empty.
    """

    id: str
    state: str
    ended_by: str | None
    payer: str
    device: str
    payee: str
    asset: str
    alias: str
    key: str
    tariff_hash: str
    purpose: str
    deposit: str
    deposits: list[str]
    promised: str
    sequence: str
    voucher: str
    ticks: str
    tick: str
    captured: str
    unsettled: int
    ends_at: str
    closes_at: str
    money: str
    created_at: str
    changed_at: str
    tariff: NotRequired[dict[str, Any]]


class FundedAnswer(TypedDict):
    """A deposit, and the session that it was held for; null while its owner is asked."""

    payment: PaymentAnswer
    session: SessionAnswer | None


class DrawnAnswer(TypedDict):
    """How far a session is drawn: the highest voucher counts."""

    session: str
    state: str
    deposit: str
    promised: str
    sequence: str
    ticks: str


class DrawnItem(TypedDict):
    """What became of one voucher of many."""

    drawn: DrawnAnswer | None
    problem: dict[str, Any] | None


class DrawnItems(TypedDict):
    """What became of each voucher, in order."""

    vouchers: list[DrawnItem]


class TickItems(TypedDict):
    """What became of each tick, in order."""

    ticks: list[DrawnItem]


class SessionTicks(TypedDict):
    """What became of one session's ticks of a body of bare ticks.

    Shape: `ticks` counts them and `right` those of its ladder; `wrong` and `far` are the places in
           the body of those that are not, and of those too far from what is known. `drawn` is how
           the session stands then, `problem` why not all that was right counts.
    """

    alias: str
    ticks: int
    right: int
    wrong: list[int]
    far: list[int]
    drawn: DrawnAnswer | None
    problem: dict[str, Any] | None


class SessionTickItems(TypedDict):
    """What became of a body of bare ticks, session by session."""

    sessions: list[SessionTicks]
