"""The hub as a seller far away sees it: the same four verbs, over HTTP with an API key."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import httpx
import msgspec

from farthing import asking
from farthing.codec import read_json, to_base64url
from farthing.core.orders import SignedOrder
from farthing.errors import (
    Conflict,
    FarthingError,
    Forbidden,
    Malformed,
    Missing,
    OutcomeUnknown,
    PaymentRefused,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from farthing.services.claims import Claims
from farthing.services.hub import Authorisation, OnceKey
from farthing.services.watch import UNWATCHED, Watch

_ERRORS: dict[int, type[FarthingError]] = {
    400: Malformed,
    401: Unauthenticated,
    403: Forbidden,
    404: Missing,
    405: Malformed,
    409: Conflict,
    413: TooLarge,
    414: Malformed,
    415: Malformed,
    422: PaymentRefused,
    503: Unavailable,
    504: OutcomeUnknown,
}
_TRIES = 3
_STATE = ("session", "state", "deposit", "promised", "sequence")


class RemoteHub:
    """Every verb is safe to repeat, and is repeated when an answer is lost."""

    def __init__(self, client: httpx.AsyncClient, watch: Watch = UNWATCHED) -> None:
        self._asker = Asker(client, watch)
        self._claims = Claims()

    async def authorise(
        self,
        signed: SignedOrder,
        *,
        hold_seconds: int,
        capture: bool,
        category: str = "",
        once: OnceKey | None = None,
        offer: str = "",
        serves_safely: bool = False,  # noqa: ARG002 - what is told over a wire is durable
        place: str = "",
    ) -> Authorisation:
        """Check an order, and hold its money or charge at once."""
        body: dict[str, Any] = {
            "hold_seconds": hold_seconds,
            "capture": capture,
            "category": category,
            "once": None if once is None else msgspec.structs.asdict(once),
        }
        if offer:
            body["offer"] = offer
        if place:
            body["place"] = place
        return await self._authorise(signed, body)

    async def recorded(self, signed: SignedOrder) -> Authorisation | None:
        """Judge an order only if it is recorded already; None if it is not."""
        try:
            return await self._authorise(signed, {"only_recorded": True})
        except Missing:
            return None

    async def _authorise(self, signed: SignedOrder, terms: dict[str, Any]) -> Authorisation:
        order = {
            "order": signed.order.members(),
            "signature": to_base64url(signed.signature),
        }
        with self._claims.of(signed) as claim:
            return await self._ask("/v1/payments/authorise", {**order, **terms, "claim": claim})

    async def capture(self, payment: str, units: int | None = None) -> Authorisation:
        """Post a hold; the answer carries the receipt."""
        body = {} if units is None else {"units": str(units)}
        return await self._ask(f"/v1/payments/{payment}/capture", body)

    async def void(self, payment: str, reason: str) -> Authorisation:
        """Release a hold."""
        return await self._ask(f"/v1/payments/{payment}/void", {"reason": reason[:200]})

    async def refund(self, payment: str, units: int | None, reason: str) -> Authorisation:
        """Give captured money back; one refund per payment and amount, however often sent."""
        body: dict[str, Any] = {"reason": reason[:200]}
        if units is not None:
            body["units"] = str(units)
        key = f"auto-refund-{payment}-{units}"
        path = f"/v1/payments/{payment}/refunds"
        await self._asker.ask("POST", path, body, {"idempotency-key": key})
        return Authorisation(payment=payment, state="captured", fresh=False)

    async def delivery_incomplete(self, payment: str, reason: str) -> None:
        """Record that an answer broke off after it was paid."""
        path = f"/v1/payments/{payment}/delivery"
        await self._asker.ask("POST", path, {"reason": reason[:200]})

    async def _ask(self, path: str, body: dict[str, Any]) -> Authorisation:
        return read_authorisation(await self._asker.ask("POST", path, body))


class Asker:
    """Asks a hub over HTTP, and again when it is busy or its answer was lost."""

    def __init__(self, client: httpx.AsyncClient, watch: Watch = UNWATCHED) -> None:
        self._client, self._watch = client, watch

    async def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Give what the hub answers.

        Raises: what the hub says, as the error it tells of; Unavailable; OutcomeUnknown.
        """
        fault: FarthingError = Unavailable("hub-unreachable", "the hub does not answer")
        fields = {**(headers or {}), **dict(self._watch.carried())}
        for attempt in range(_TRIES):
            try:
                request = self._client.build_request(method, path, json=body, headers=fields)
                answer = await asking.ask(self._client, request)
            except httpx.ConnectError:
                fault = Unavailable("hub-unreachable", "the hub does not answer")
            except httpx.HTTPError:
                # It may have been done: asking again is safe, giving up is not knowing.
                fault = OutcomeUnknown("hub-outcome-unknown", "the hub's answer was lost")
            else:
                if answer.status_code < 400:
                    return answer.content
                fault = error_of(answer)
                if not isinstance(fault, Unavailable):
                    raise fault
            if attempt + 1 < _TRIES:
                await asyncio.sleep(0.05 * 2**attempt)
        raise fault


def read_authorisation(raw: bytes) -> Authorisation:
    """Read what the hub says of an order.

    Raises: OutcomeUnknown `hub-answer-unreadable`.
    """
    try:
        return msgspec.json.decode(raw, type=Authorisation)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise OutcomeUnknown("hub-answer-unreadable", "the hub's answer is no answer") from None


def error_of(answer: httpx.Response) -> FarthingError:
    """Turn a problem that the hub answered back into the error it tells of."""
    try:
        return error_told(answer.status_code, read_json(answer.content))
    except Malformed:
        return error_told(answer.status_code, None)


def error_told(status: int, problem: Any) -> FarthingError:
    """Turn a problem back into the error it tells of, with what it says of a session's state."""
    told = cast(dict[str, Any], problem) if isinstance(problem, dict) else {}
    if "code" not in told:
        told = {"code": "hub-failed", "detail": f"the hub answered {status}"}
    more = {name: str(told[name]) for name in _STATE if name in told}
    code, detail = str(told["code"]), str(told.get("detail", ""))
    return _ERRORS.get(status, Unavailable)(code, detail, **more)
