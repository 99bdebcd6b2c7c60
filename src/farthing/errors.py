"""The error tree.

FarthingError               code, status, title, hint, .problem()                 retry?
├─ Malformed            400  what was sent cannot be read                          no
├─ Unauthenticated      401  no valid proof of who is asking                       no
├─ Forbidden            403  known, but not allowed                                no
├─ Missing              404  there is no such thing for this asker                 no
├─ Conflict             409  same id, other content; already spent                 no
├─ TooLarge             413  more bytes than the limit                             no
├─ PaymentRefused       422  a rule, a mandate or the ledger said no               new payment
├─ Unavailable          503  the store or the hub is busy or down                  yes, same id
│  └─ TooMuch           429  this asker has enough under way already               yes, same id
├─ OutcomeUnknown       504  asked, not heard                                      look up only
├─ PlugMissing, BadConfig    at start-up only; say what to install or the nearest name
└─ InvariantBroken      500  our bug
"""

from typing import Any, ClassVar, TypeVar

from farthing.explained import hint_of

T = TypeVar("T")

PROBLEM_BASE = "https://farthing.dev/problems/"


class FarthingError(Exception):
    """Something this software says no to; carries a stable code and an RFC 9457 problem."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, code: str, detail: str = "", **more: Any) -> None:
        super().__init__(detail or code)
        self.code = code
        self.detail = detail
        self.more = more

    def problem(self) -> dict[str, Any]:
        """Give the error as an RFC 9457 problem details object."""
        body: dict[str, Any] = {
            "type": PROBLEM_BASE + self.code,
            "title": self.title,
            "status": self.status,
            "code": self.code,
        }
        if self.detail:
            body["detail"] = self.detail
        hint = hint_of(self.code)
        if hint:
            body["hint"] = hint
        return body | self.more


class Malformed(FarthingError):
    """What was sent cannot be read."""

    status, title = 400, "The request cannot be read"


class Unauthenticated(FarthingError):
    """No valid proof of who is asking."""

    status, title = 401, "Authentication is needed"


class PaymentRefused(FarthingError):
    """A rule, a mandate or the ledger said no; no money was taken.

    A seller's paywall answers it with 402 and a fresh challenge; the hub's own API has nothing
    to sell, and a 402 without a challenge is not sent.
    """

    status, title = 422, "The payment was refused"


class Forbidden(FarthingError):
    """The asker is known, but not allowed."""

    status, title = 403, "This is not allowed"


class Missing(FarthingError):
    """There is no such thing, as far as this asker may know."""

    status, title = 404, "Not found"


class Conflict(FarthingError):
    """The same id with other content, or something already spent."""

    status, title = 409, "In conflict with what is already recorded"


class TooLarge(FarthingError):
    """More bytes than the limit."""

    status, title = 413, "Too large"


class Unavailable(FarthingError):
    """Busy or down: safe to try again with the same id."""

    status, title = 503, "Try again shortly"


class TooMuch(Unavailable):
    """This asker has its share already; others are served. Safe to try again with the same id."""

    status, title = 429, "Too much at once"


class OutcomeUnknown(FarthingError):
    """Asked, and not heard: look the payment up, never pay again blindly."""

    status, title = 504, "The outcome is not known yet"


class PlugMissing(FarthingError):
    """An optional part is not installed."""

    title = "An optional part is missing"


class BadConfig(FarthingError):
    """The configuration cannot be used."""

    title = "The configuration cannot be used"


class InvariantBroken(FarthingError):
    """Our bug: something that must always hold did not."""

    title = "An internal check failed"


def ensure(holds: bool, what: str) -> None:
    """Stop at once if `what` does not hold; unlike `assert`, also under `python -O`.

    Raises: InvariantBroken.
    """
    if not holds:
        raise InvariantBroken("invariant-broken", what)


def present(value: T | None, what: str) -> T:
    """Give a value that must be there.

    Raises: InvariantBroken.
    """
    if value is None:
        raise InvariantBroken("invariant-broken", what)
    return value
