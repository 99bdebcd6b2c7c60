"""The API's answers, as types. Amounts are decimal strings of units; times RFC 3339 in UTC."""

from typing import Any, Generic, NotRequired, TypedDict, TypeVar

T = TypeVar("T")


class Page(TypedDict, Generic[T]):
    """A page of a list; `next` is the cursor of the next page, null on the last one."""

    items: list[T]
    next: str | None


class OwnerAnswer(TypedDict):
    """An owner."""

    id: str
    name: str
    time_zone: str
    created_at: str


class PersonAnswer(TypedDict):
    """Somebody who signs in to the pages for an owner."""

    id: str
    owner: str
    name: str
    roles: list[str]
    created_at: str
    removed_at: str | None


class LinkAnswer(PersonAnswer):
    """A link that lets a person make a passkey, once; it is in this answer and nowhere else."""

    link: str
    link_seconds: int


class KeyAnswer(TypedDict):
    """An API key; its secret is in the answer that made it and nowhere else."""

    id: str
    owner: str
    scopes: list[str]
    label: str
    created_at: str
    revoked_at: str | None
    secret: NotRequired[str]


class Balance(TypedDict):
    """What an account holds, in units."""

    available: str
    held: str
    incoming: str
    received: str
    spent: str


class AccountAnswer(TypedDict):
    """An account."""

    id: str
    owner: str
    asset: str
    name: str
    state: str
    frozen_by: str | None
    money: str
    created_at: str
    balance: NotRequired[Balance]


class CreditAnswer(TypedDict):
    """Test money that was put into an account."""

    account: str
    units: str
    asset: str
    money: str


class BudgetAnswer(TypedDict):
    """A limit per period."""

    name: str
    per: str
    limit: str
    payees: list[str]
    categories: list[str]


class MandateAnswer(TypedDict):
    """A mandate."""

    id: str
    owner: str
    asset: str
    name: str
    largest: str | None
    budgets: list[BudgetAnswer]
    payees: list[str]
    categories: list[str]
    hours: list[str]
    time_zone: str
    expires: str | None
    ask_above: str | None
    two_above: str | None
    ask_seconds: int
    on_timeout: str
    revision: int
    revoked_at: str | None


DeviceKeyAnswer = TypedDict(
    "DeviceKeyAnswer", {"public_key": str, "from": str, "until": str | None}
)


class DeviceAnswer(TypedDict):
    """A device."""

    id: str
    owner: str
    account: str
    mandate: str
    name: str
    keys: list[DeviceKeyAnswer]
    created_at: str
    revoked_at: str | None


class InvitationAnswer(TypedDict):
    """An invitation; its code is in this answer and nowhere else."""

    id: str
    code: str
    expires: str


class EnrolmentAnswer(TypedDict):
    """What a newly enrolled device has to know."""

    device: str
    account: str
    mandate: str
    hub: str
    root_key: str
    assets: dict[str, int]


class FeeTermsAnswer(TypedDict):
    """What is taken of a captured amount, and for which account; `ppm` is in millionths."""

    account: str
    ppm: int
    flat: str
    minimum: str
    rounding: str
    on_refund: str


class FeeAnswer(FeeTermsAnswer):
    """A fee of a payment: what it took, and what of it went back; `of` is hub, or an offer."""

    of: str
    units: str
    returned: str
    waived: bool


class FeeTotalAnswer(TypedDict):
    """What one fee came to for one account in the period that begins at `since`.

    `of` is hub, or an offer; `payments` counts those that gave it in the period.
    """

    since: str
    of: str
    account: str
    asset: str
    taken: str
    returned: str
    payments: int


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


class EventAnswer(TypedDict):
    """A fact that happened."""

    id: str
    kind: str
    subject: str
    at: str
    body: dict[str, Any]


class WebhookAnswer(TypedDict):
    """Where events are sent. The secret is in one answer and nowhere else.

    `why` says why it is off: owner, gone or failing.
    """

    id: str
    owner: str
    url: str
    label: str
    kinds: list[str]
    state: str
    why: str | None
    created_at: str
    changed_at: str
    secret: NotRequired[str]


class DeliveryAnswer(TypedDict):
    """One try to send an event; `status` is the answer's code, `fault` why it was no delivery."""

    id: str
    webhook: str
    event: str
    kind: str
    attempt: int
    status: int | None
    fault: str | None
    took_ms: int
    at: str


class ReplayAnswer(TypedDict):
    """What is being sent again."""

    webhook: str
    after: str
    until: str


class WishAnswer(TypedDict):
    """How a class of notices is told."""

    ways: list[str]
    digest_seconds: int


class AddressAnswer(TypedDict):
    """Where a person is told. `state` is unproven, on or removed; `place` then is gone.

    `secret` signs what is sent to a URL; it is in one answer and nowhere else.
    """

    id: str
    person: str
    way: str
    place: str | None
    label: str
    state: str
    why: str | None
    created_at: str
    proven_at: str | None
    removed_at: str | None
    secret: NotRequired[str]


class WishesAnswer(TypedDict):
    """What a person is told, how, when and where.

    `ways` are those that the hub has; `push_key` is its public key for pushes, where it has them.
    """

    person: str
    owner: str
    classes: dict[str, WishAnswer]
    quiet: list[str]
    time_zone: str
    language: str
    shows_amounts: bool
    addresses: list[AddressAnswer]
    ways: list[str]
    push_key: str | None


class NoticeTryAnswer(TypedDict):
    """One try to tell one notice at one address; `fault` says why it was not told."""

    id: str
    notice: str
    person: str
    about: str
    way: str | None
    address: str | None
    events: int
    attempt: int
    status: int | None
    fault: str | None
    took_ms: int
    at: str


class MovementAnswer(TypedDict):
    """A top-up or a payout. `booked` tells whether the ledger has what the rail said last.

    `money` is test where the rail moves none.
    """

    id: str
    account: str
    rail: str
    asset: str
    units: str
    place: str
    state: str
    reason: str | None
    rail_reference: str | None
    booked: bool
    money: str
    created_at: str
    changed_at: str


class HealthAnswer(TypedDict):
    """How the hub is: `ok`, `ready`, `closing`, `not-writable`, `disk-full`, `clock-behind-books`.

    Units: `seconds` is for how long the clock is behind the books.
    """

    status: str
    seconds: NotRequired[int]


class HubAnswer(TypedDict):
    """How the books stand."""

    hub: str
    commits: int
    head: str | None
    engine: str
    url: str


class AssetAnswer(TypedDict):
    """An asset; its smallest unit has `scale` decimals."""

    code: str
    scale: int


CertificateAnswer = TypedDict(
    "CertificateAnswer", {"from": str, "hub": str, "key": str, "signature": str}
)


class IdentityAnswer(TypedDict):
    """Who this hub is, and the keys that sign for it."""

    hub: str
    root_key: str
    certificates: list[CertificateAnswer]
    assets: list[AssetAnswer]
    protocols: dict[str, Any]
    api: str


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
