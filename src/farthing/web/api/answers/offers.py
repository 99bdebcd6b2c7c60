"""What is for sale."""

from typing import Any, TypedDict

from farthing.web.api.answers.accounts import FeeTermsAnswer


class MeteredAnswer(TypedDict):
    """How an offer is metered."""

    tariff: dict[str, Any]
    reserve: int
    deposit: str
    lifetime_seconds: int
    grace_seconds: int


class OfferAnswer(TypedDict):
    """An offer; the amount of a metered one is what its reserve costs."""

    id: str
    owner: str
    payee: str
    method: str
    path: str
    asset: str
    amount: str
    description: str
    category: str
    valid_from: str | None
    valid_until: str | None
    free_for: list[str]
    listed_at: str | None
    withdrawn_at: str | None
    fee: FeeTermsAnswer | None
    metered: MeteredAnswer | None
