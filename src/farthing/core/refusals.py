"""Why a payment is refused: recorded values, in their order of precedence."""

from enum import StrEnum


class Refusal(StrEnum):
    """The reason a payment was refused. Earlier ones are found first."""

    ACCOUNT_FROZEN = "account-frozen"
    PAYEE_FROZEN = "payee-frozen"
    MANDATE_REVOKED = "mandate-revoked"
    MANDATE_EXPIRED = "mandate-expired"
    MANDATE_PAYEE = "mandate-payee"
    MANDATE_CATEGORY = "mandate-category"
    MANDATE_HOURS = "mandate-hours"
    MANDATE_LARGEST = "mandate-largest"
    NO_SUCH_SESSION = "no-such-session"
    SESSION_OVER = "session-over"
    SESSION_FULL = "session-full"
    SESSION_ALIAS = "session-alias-taken"
    RISK_REFUSED = "risk-refused"
    MANDATE_BUDGET = "mandate-budget"
    INSUFFICIENT_FUNDS = "insufficient-funds"
    DENIED = "denied"
    ASK_EXPIRED = "ask-expired"
    PAYEE_LIMIT = "payee-limit"
    CANCELLED = "cancelled"


EXPLAINED: dict[Refusal, str] = {
    Refusal.ACCOUNT_FROZEN: "the paying account is frozen or closed",
    Refusal.PAYEE_FROZEN: "the payee's account is frozen or closed",
    Refusal.MANDATE_REVOKED: "the owner has revoked the mandate",
    Refusal.MANDATE_EXPIRED: "the mandate has expired; the owner can renew it",
    Refusal.MANDATE_PAYEE: "the mandate does not allow this payee",
    Refusal.MANDATE_CATEGORY: "the mandate does not allow this category",
    Refusal.MANDATE_HOURS: "the mandate does not allow payments at this hour",
    Refusal.MANDATE_LARGEST: "the payment is larger than the mandate's largest payment",
    Refusal.NO_SUCH_SESSION: "there is no such session between these two",
    Refusal.SESSION_OVER: "the session's time is over, or it is closed",
    Refusal.SESSION_FULL: "the session has as many deposits as it can; open another one",
    Refusal.SESSION_ALIAS: "the payee has a session of this short name; use a new nonce",
    Refusal.RISK_REFUSED: "it is too unlike what this device does; its owner can see why",
    Refusal.MANDATE_BUDGET: "a budget of the mandate is used up for this period",
    Refusal.INSUFFICIENT_FUNDS: "the account does not hold enough; top it up",
    Refusal.DENIED: "the owner said no",
    Refusal.ASK_EXPIRED: "the owner did not answer in time",
    Refusal.PAYEE_LIMIT: "the payee's account cannot take this amount",
    Refusal.CANCELLED: "the device has cancelled this order; it is never paid",
}
