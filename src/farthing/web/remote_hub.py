"""The hub as a seller far away sees it: the same four verbs, over HTTP with an API key."""

import asyncio
from typing import Any

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


class RemoteHub:
    """Every verb is safe to repeat, and is repeated when an answer is lost."""

    def __init__(self, client: httpx.AsyncClient, watch: Watch = UNWATCHED) -> None:
        self._client, self._watch = client, watch
        self._claims = Claims()

    async def authorise(
        self,
        signed: SignedOrder,
        *,
        hold_seconds: int,
        capture: bool,
        category: str = "",
        once: OnceKey | None = None,
    ) -> Authorisation:
        """Check an order, and hold its money or charge at once."""
        body: dict[str, Any] = {
            "hold_seconds": hold_seconds,
            "capture": capture,
            "category": category,
            "once": None if once is None else msgspec.structs.asdict(once),
        }
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
        await self._post(f"/v1/payments/{payment}/refunds", body, {"idempotency-key": key})
        return Authorisation(payment=payment, state="captured", fresh=False)

    async def delivery_incomplete(self, payment: str, reason: str) -> None:
        """Record that an answer broke off after it was paid."""
        await self._post(f"/v1/payments/{payment}/delivery", {"reason": reason[:200]}, {})

    async def _ask(self, path: str, body: dict[str, Any]) -> Authorisation:
        raw = await self._post(path, body, {})
        try:
            return msgspec.json.decode(raw, type=Authorisation)
        except msgspec.DecodeError:
            raise OutcomeUnknown("hub-answer-unreadable", "the hub's answer is no answer") from None

    async def _post(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> bytes:
        fault: FarthingError = Unavailable("hub-unreachable", "the hub does not answer")
        headers = headers | dict(self._watch.carried())
        for attempt in range(_TRIES):
            try:
                request = self._client.build_request("POST", path, json=body, headers=headers)
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


def error_of(answer: httpx.Response) -> FarthingError:
    """Turn a problem that the hub answered back into the error it tells of."""
    try:
        problem = read_json(answer.content)
        code, detail = str(problem["code"]), str(problem.get("detail", ""))
    except (Malformed, AttributeError, KeyError, TypeError):
        code, detail = "hub-failed", f"the hub answered {answer.status_code}"
    return _ERRORS.get(answer.status_code, Unavailable)(code, detail)
