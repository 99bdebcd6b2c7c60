"""What a facilitator answers, in the words of x402."""

from typing import Any, NotRequired, TypedDict


class KindAnswer(TypedDict):
    """A scheme and network that is settled here (x402)."""

    x402Version: int
    scheme: str
    network: str


class SupportedAnswer(TypedDict):
    """What a facilitator settles (x402)."""

    kinds: list[KindAnswer]
    extensions: list[str]
    signers: dict[str, list[str]]


class ResourceAnswer(TypedDict):
    """Something for sale (x402); its words are its seller's."""

    resource: str
    type: str
    x402Version: int
    accepts: list[dict[str, Any]]
    lastUpdated: int
    metadata: dict[str, str]
    description: NotRequired[str]
    extensions: NotRequired[dict[str, Any]]


class PaginationAnswer(TypedDict):
    """Where a page of resources stands in all of them (x402)."""

    limit: int
    offset: int
    total: int


class ResourcesAnswer(TypedDict):
    """What is for sale through this hub (x402)."""

    x402Version: int
    items: list[ResourceAnswer]
    pagination: PaginationAnswer


class VerifyAnswer(TypedDict):
    """Whether a payment is good (x402)."""

    isValid: bool
    payer: NotRequired[str]
    invalidReason: NotRequired[str]
    invalidMessage: NotRequired[str]
    extra: NotRequired[dict[str, Any]]


class SettleAnswer(TypedDict):
    """Whether a payment was settled (x402)."""

    success: bool
    transaction: str
    network: str
    payer: NotRequired[str]
    amount: NotRequired[str]
    errorReason: NotRequired[str]
    errorMessage: NotRequired[str]
    extra: NotRequired[dict[str, Any]]
