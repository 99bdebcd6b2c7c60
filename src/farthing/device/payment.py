"""One payment from the credential to its outcome: the same bytes until something is known."""

from dataclasses import dataclass
from typing import Any, cast

import httpx
from anyio import to_thread

from farthing.core.receipts import receipt_fault
from farthing.device.answers import Meaning, Verdict, read_answer
from farthing.device.hub_calls import Standing, look_up
from farthing.device.journal import Claimed, Entry
from farthing.device.outcomes import EXTENSION, AlreadyPaid, AwaitingOwner, Paid
from farthing.device.paid_body import PaidBody
from farthing.device.patience import Patience, Tries
from farthing.device.purse import Purse
from farthing.errors import Malformed, OutcomeUnknown, PaymentRefused
from farthing.money import Amount, Asset
from farthing.protocols.client import read_receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Sends one signed credential with one request until its outcome is known.

    Shape: `replay` tells that the credential was signed earlier and found in the journal.
    """

    purse: Purse
    inner: httpx.AsyncBaseTransport
    patience: Patience
    request: httpx.Request
    claimed: Claimed
    replay: bool

    async def run(self) -> httpx.Response | None:
        """Deliver; None when an old credential turns out to be void and a new one is in order.

        Raises: PaymentRefused, AwaitingOwner, AlreadyPaid, OutcomeUnknown.
        """
        response = None
        try:
            response = await self._run()
        finally:
            if response is None or EXTENSION not in response.extensions:
                self.claimed.release()
        return response

    async def _run(self) -> httpx.Response | None:
        tries = self.patience.begin()
        while True:
            try:
                response = await self.inner.handle_async_request(self._paying_request())
                verdict = await read_answer(response, self.patience.clock())
            except httpx.TransportError as silence:
                if await tries.again():
                    continue
                return await self._unsure(None, _said(silence))
            if not await self._again(verdict, tries):
                return await self._conclude(response, verdict)
            await response.aclose()

    def _paying_request(self) -> httpx.Request:
        fields = self.claimed.entry.fields
        ours = {name.lower() for name, _ in fields}
        kept = [(k, v) for k, v in self.request.headers.multi_items() if k.lower() not in ours]
        return httpx.Request(
            self.request.method,
            self.request.url,
            headers=kept + fields,
            content=self.request.content,
            extensions=self.request.extensions,
        )

    async def _again(self, verdict: Verdict, tries: Tries) -> bool:
        if verdict.meaning is Meaning.WAIT:
            return await tries.again(verdict.retry_after_seconds)
        if verdict.meaning is Meaning.AWAITING_OWNER:
            return await tries.for_owner(verdict.retry_after_seconds)
        return False

    async def _conclude(self, response: httpx.Response, verdict: Verdict) -> httpx.Response | None:
        match verdict.meaning:
            case Meaning.ANSWERED:
                return await self._answered(response)
            case Meaning.REFUSED:
                await response.aclose()
                return await self._refused(verdict)
            case Meaning.AWAITING_OWNER:
                await response.aclose()
                wait = verdict.retry_after_seconds
                raise AwaitingOwner(self.claimed.entry.payment, wait)
            case Meaning.ALREADY_PAID:
                await response.aclose()
                await self._resolve()
                paid = paid_for(self.purse, self.claimed.entry, response, verdict.receipt)
                raise AlreadyPaid(verdict.detail or "the answer is no longer kept", paid)
            case _:
                return await self._unsure(response, f"the seller answered {response.status_code}")

    async def _answered(self, response: httpx.Response) -> httpx.Response:
        if response.status_code >= 400:
            await self._resolve()
            return response
        response.extensions[EXTENSION] = paid_for(self.purse, self.claimed.entry, response)
        body = cast(httpx.AsyncByteStream, response.stream)
        response.stream = PaidBody(body, self.claimed)
        return response

    async def _refused(self, verdict: Verdict) -> None:
        if self.replay:
            # The journal's promise is not to pay twice: only the hub can say that this is void.
            return await self._void_or_raise()
        await self._resolve()
        code, detail = verdict.code or "payment-refused", verdict.detail
        raise PaymentRefused(
            code, detail or "the seller did not accept it", payment=self.claimed.entry.payment
        )

    async def _void_or_raise(self) -> None:
        standing = await self._look_up()
        if standing is not None and (standing.over_unpaid or standing.unseen):
            await self._resolve()
            if standing.state in ("refused", "denied"):
                raise self._no_money_taken(standing, "the payment was refused")
            return
        raise self._unknown(standing, "the seller refuses a credential that was sent before")

    async def _unsure(self, response: httpx.Response | None, why: str) -> httpx.Response:
        standing = await self._look_up()
        if standing is not None and standing.over_unpaid:
            await self._resolve()
            if response is None:
                raise self._no_money_taken(standing, why)
            return response
        if standing is not None and standing.unseen and response is not None:
            return response  # The journal keeps the credential: it may be used until it expires.
        if response is not None:
            await response.aclose()
        if standing is not None and standing.state == "awaiting":
            raise AwaitingOwner(standing.payment, 0.0)
        raise self._unknown(standing, why)

    def _no_money_taken(self, standing: Standing, why: str) -> PaymentRefused:
        code = standing.reason or f"payment-{standing.state}"
        return PaymentRefused(code, f"{why}; no money was taken", payment=standing.payment)

    def _unknown(self, standing: Standing | None, why: str) -> OutcomeUnknown:
        payment = self.claimed.entry.payment
        if standing is None:
            told, code = "and the hub could not be asked", "outcome-unknown"
        elif standing.unseen:
            told, code = "and the hub has not seen the payment", "outcome-unknown"
        else:
            taken = standing.state in ("captured", "refunded")
            told = f"and the payment is {standing.state}"
            code = "answer-lost" if taken else "outcome-unknown"
        detail = f"{why}, {told}; the same request again does not pay twice"
        return OutcomeUnknown(
            code, detail, payment=payment, state=standing.state if standing else ""
        )

    async def _look_up(self) -> Standing | None:
        payment, tries = self.claimed.entry.payment, self.patience.begin()
        while True:
            standing = await look_up(self.inner, self.purse, payment, self.patience.clock)
            if standing is not None or not await tries.again():
                return standing

    async def _resolve(self) -> None:
        await to_thread.run_sync(self.claimed.resolve)


def paid_for(
    purse: Purse, entry: Entry, response: httpx.Response, told: dict[str, Any] | None = None
) -> Paid:
    """Tell what was paid for an answer, its receipt verified with the hub's root key."""
    read = read_receipt(response.headers.multi_items())
    receipt = read["receipt"] if read and read["receipt"] else told
    return Paid(
        payment=entry.payment,
        amount=Amount(entry.amount, Asset(entry.asset, entry.scale)),
        payee=entry.payee,
        language=entry.language,
        receipt=receipt,
        receipt_fault=_receipt_fault(purse, entry, receipt),
    )


def _receipt_fault(purse: Purse, entry: Entry, receipt: dict[str, Any] | None) -> str:
    if receipt is None:
        return "the seller passed no receipt on"
    try:
        fault = receipt_fault(receipt, purse.membership.root_key)
    except (Malformed, ValueError, TypeError, KeyError, AttributeError):
        fault = "it cannot be read"
    if fault is not None:
        return fault
    statement = receipt["statement"]
    told = {"payment": entry.payment, "payee": entry.payee, "asset": entry.asset}
    if not isinstance(statement, dict) or not told.items() <= statement.items():  # pyright: ignore[reportUnknownMemberType]
        return "it is about another payment"
    return ""


def _said(silence: Exception) -> str:
    return f"no answer came ({silence or type(silence).__name__})"
