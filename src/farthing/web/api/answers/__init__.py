"""The API's answers, as types. Amounts are decimal strings of units; times RFC 3339 in UTC."""

from farthing.web.api.answers.accounts import (
    AccountAnswer,
    Balance,
    CreditAnswer,
    FeeAnswer,
    FeeTermsAnswer,
    FeeTotalAnswer,
    MovementAnswer,
)
from farthing.web.api.answers.cases import CaseAnswer, CaseFileAnswer, CaseStep, RelatedAnswer
from farthing.web.api.answers.devices import (
    BudgetAnswer,
    DeviceAnswer,
    DeviceKeyAnswer,
    EnrolmentAnswer,
    InvitationAnswer,
    MandateAnswer,
    MandateTerms,
    ProposedAnswer,
)
from farthing.web.api.answers.events import DeliveryAnswer, EventAnswer, ReplayAnswer, WebhookAnswer
from farthing.web.api.answers.hub import (
    AssetAnswer,
    CertificateAnswer,
    HealthAnswer,
    HubAnswer,
    IdentityAnswer,
)
from farthing.web.api.answers.notices import (
    AddressAnswer,
    NoticeTryAnswer,
    WishAnswer,
    WishesAnswer,
)
from farthing.web.api.answers.offers import MeteredAnswer, OfferAnswer
from farthing.web.api.answers.pages import Page, T
from farthing.web.api.answers.payments import (
    BatchAnswer,
    BatchItem,
    PaymentAnswer,
    RefundAnswer,
    RiskAnswer,
    RiskReason,
    SaidAnswer,
)
from farthing.web.api.answers.people import KeyAnswer, LinkAnswer, OwnerAnswer, PersonAnswer
from farthing.web.api.answers.x402 import (
    KindAnswer,
    PaginationAnswer,
    ResourceAnswer,
    ResourcesAnswer,
    SettleAnswer,
    SupportedAnswer,
    VerifyAnswer,
)

__all__ = [
    "AccountAnswer",
    "AddressAnswer",
    "AssetAnswer",
    "Balance",
    "BatchAnswer",
    "BatchItem",
    "BudgetAnswer",
    "CaseAnswer",
    "CaseFileAnswer",
    "CaseStep",
    "CertificateAnswer",
    "CreditAnswer",
    "DeliveryAnswer",
    "DeviceAnswer",
    "DeviceKeyAnswer",
    "EnrolmentAnswer",
    "EventAnswer",
    "FeeAnswer",
    "FeeTermsAnswer",
    "FeeTotalAnswer",
    "HealthAnswer",
    "HubAnswer",
    "IdentityAnswer",
    "InvitationAnswer",
    "KeyAnswer",
    "KindAnswer",
    "LinkAnswer",
    "MandateAnswer",
    "MandateTerms",
    "MeteredAnswer",
    "MovementAnswer",
    "NoticeTryAnswer",
    "OfferAnswer",
    "OwnerAnswer",
    "Page",
    "PaginationAnswer",
    "PaymentAnswer",
    "PersonAnswer",
    "ProposedAnswer",
    "RefundAnswer",
    "RelatedAnswer",
    "ReplayAnswer",
    "ResourceAnswer",
    "ResourcesAnswer",
    "RiskAnswer",
    "RiskReason",
    "SaidAnswer",
    "SettleAnswer",
    "SupportedAnswer",
    "T",
    "VerifyAnswer",
    "WebhookAnswer",
    "WishAnswer",
    "WishesAnswer",
]
