"""The 402: one price, written in every language the seller speaks."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from farthing.clock import Clock
from farthing.errors import Malformed
from farthing.money import Amount, Asset
from farthing.protocols.base import BadCredential, Language, Terms
from farthing.protocols.fields import mentions, without
from farthing.protocols.preferences import preferred
from farthing.web.asgi import raw_headers
from farthing.web.incoming import Incoming
from farthing.web.problems import Answer, HttpProblem, problem_answer

CREDENTIAL = b"authorization"
SIGNATURE = b"payment-signature"
_SCHEME = "payment"


class PaymentRequired(HttpProblem):
    """The 402 of a request that carries no payment, or one that does not do."""

    title = "Payment is required"

    def problem(self) -> dict[str, Any]:
        """Give the error as an RFC 9457 problem details object."""
        return super().problem() | {"title": self.title}


@lru_cache(maxsize=256)
def _unpaid(price: str) -> Answer:
    """Write the problem of a request without a payment: what it says depends on the price alone."""
    detail = f"this costs {price}; pay and ask again"
    return problem_answer(PaymentRequired(402, "payment-required", detail, price=price))


class Challenges:
    """Writes challenges and reads credentials, in whichever language."""

    def __init__(
        self, languages: Sequence[Language], assets: Mapping[str, Asset], clock: Clock
    ) -> None:
        self._languages = tuple(languages)
        self._assets = assets
        self._clock = clock

    def price(self, terms: Terms) -> str:
        """Write the price as people read it."""
        return str(Amount(terms.amount, self._assets[terms.asset]))

    def payment_required(
        self,
        terms: Terms,
        problem: BadCredential | None = None,
        language: Language | None = None,
        accept: str = "",
    ) -> Answer:
        """Write a 402 with a fresh challenge in every language.

        Shape: `problem` says why the payment in `language` did not do; `accept` is the client's
               `Accept-Payment`, which filters and orders MPP challenges.
        """
        fields: list[tuple[str, str]] = []
        for spoken in self._languages:
            told = problem if spoken is language else None
            fields += spoken.challenge(terms, self._clock(), told)
        if problem is not None and language is not None:
            fields += language.failure(problem.code, terms)
        if accept:
            fields = list(preferred(fields, accept))
        price = self.price(terms)
        if problem is None:
            shown = _unpaid(price)
            return Answer(shown.status, raw_headers(fields) + shown.headers, shown.body)
        more = {"price": price} | problem.more
        return problem_answer(PaymentRequired(402, problem.code, problem.detail, **more), fields)

    def credential(self, request: Incoming) -> tuple[Language, Mapping[str, str]] | None:
        """Find the one credential of a request, and the fields it is read from.

        Raises: Malformed `several-credentials`.
        """
        fields = _fields(request)
        carried = [language for language in self._languages if language.carries(fields)]
        if len(carried) > 1:
            raise Malformed("several-credentials", "send exactly one payment credential")
        return (carried[0], fields) if carried else None


def accepted(request: Incoming) -> str:
    """Give a request's `Accept-Payment`, or nothing."""
    return ",".join(request.values(b"accept-payment"))


def _fields(request: Incoming) -> Mapping[str, str]:
    paying = [value for value in request.values(CREDENTIAL) if _pays(value)]
    if len(paying) > 1 or len(request.values(SIGNATURE)) > 1:
        raise Malformed("several-credentials", "send exactly one payment credential")
    found: dict[str, str] = {}
    for name, value in request.headers:
        key = name.decode("latin-1")
        text = value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    if paying:
        found[CREDENTIAL.decode()] = paying[0]
    return found


def _pays(value: str) -> bool:
    return mentions(value, _SCHEME)


def without_credentials(request: Incoming) -> list[tuple[bytes, bytes]]:
    """Give the header fields that go on to the handler: all but the payment itself.

    Shape: of several schemes in one `Authorization` field the others are kept.
    """
    kept = [(name, value) for name, value in request.headers if name != SIGNATURE]
    for place, (name, value) in enumerate(kept):
        text = value.decode("latin-1")
        if name == CREDENTIAL and _pays(text):
            kept[place] = name, without(text, _SCHEME).encode("latin-1")
    return [(name, value) for name, value in kept if value or name != CREDENTIAL]
