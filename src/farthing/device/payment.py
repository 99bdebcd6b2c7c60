"""One payment from the credential to its outcome: the same bytes until something is known.

What a seller says proves nothing: "paid" is what a receipt proves, and "nothing was taken" what
the hub says after it was told to refuse the order for good.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

import httpx
from anyio import to_thread

from farthing.clock import NS
from farthing.device import proof
from farthing.device.answers import Meaning, Verdict, read_answer
from farthing.device.bought_socket import SWITCHING
from farthing.device.giving_up import GivenUp, given_up
from farthing.device.hub_calls import Standing, cancel, look_up
from farthing.device.journal import Claimed, Entry
from farthing.device.outcomes import (
    EXTENSION,
    AlreadyPaid,
    AnswerLost,
    AwaitingOwner,
    Paid,
    Unproven,
)
from farthing.device.paid_body import PaidBody
from farthing.device.patience import Patience, Tries
from farthing.device.purse import Purse
from farthing.errors import OutcomeUnknown, PaymentRefused


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
            if response is None or not isinstance(response.stream, PaidBody):
                self.claimed.release()
        return response

    async def give_up(self) -> GivenUp:
        """Have the order cancelled if it still can be, and forget it, whatever was taken.

        Raises: OutcomeUnknown while the hub cannot be asked; nothing is forgotten then.
        """
        try:
            standing = await self._cancel()
            if standing is None:
                raise self._unknown(None, "the earlier payment cannot be given up")
            await self._resolve()
            return given_up(self.claimed.entry, standing)
        finally:
            self.claimed.release()

    async def _run(self) -> httpx.Response | None:
        tries = self.patience.begin()
        while True:
            try:
                response = await self.inner.handle_async_request(
                    with_fields(self.request, self.claimed.entry)
                )
                verdict = await read_answer(response, self.patience.clock())
            except httpx.TransportError as silence:
                if await tries.again():
                    continue
                return await self._unsure(None, _said(silence))
            if not await self._again(verdict, tries):
                return await self._conclude(response, verdict)
            await response.aclose()

    async def _again(self, verdict: Verdict, tries: Tries) -> bool:
        if verdict.meaning is Meaning.WAIT:
            return await tries.again(verdict.retry_after_seconds)
        if verdict.meaning is Meaning.AWAITING_OWNER:
            return await tries.for_owner(verdict.retry_after_seconds)
        return False

    async def _conclude(self, response: httpx.Response, verdict: Verdict) -> httpx.Response | None:
        match verdict.meaning:
            case Meaning.ANSWERED if response.status_code < 400:
                return await self._served(response)
            case Meaning.ANSWERED:
                return await self._failed(response)
            case Meaning.REFUSED:
                await response.aclose()
                return await self._refused(verdict)
            case Meaning.AWAITING_OWNER:
                await response.aclose()
                wait = verdict.retry_after_seconds
                raise AwaitingOwner(self.claimed.entry.payment, wait)
            case Meaning.ALREADY_PAID:
                await response.aclose()
                raise await self._already_paid(response, verdict)
            case _:
                return await self._unsure(response, f"the seller answered {response.status_code}")

    async def _served(self, response: httpx.Response) -> httpx.Response:
        """Give the answer, and say of it what is proven: what was bought is not cancelled."""
        entry, receipt = self.claimed.entry, proof.told_receipt(response)
        fault = proof.proof_fault(self.purse, entry, receipt)
        if receipt is not None and not fault:
            return await self._bought(response, proof.paid_for(entry, receipt))
        earlier = proof.earlier_payment(self.purse, entry, receipt)
        # It was bought with an earlier payment, so that this order is one too many.
        standing = await (self._cancel(tries=False) if earlier else self._look_up(tries=False))
        if standing is not None and standing.taken:
            made = proof.paid_at_hub(self.purse, entry, standing)
            return await self._bought(response, made or proof.unproven(entry, standing, fault))
        if standing is not None and standing.over_unpaid:
            if earlier and receipt is not None:
                return self._kept(response, proof.paid_for(entry, receipt, earlier))
            await self._resolve()
            return response
        return self._kept(response, proof.unproven(entry, standing, fault))

    async def _bought(self, response: httpx.Response, told: Paid | Unproven) -> httpx.Response:
        """Give what was paid for; a socket that is open is not asked for a second time."""
        if response.status_code != SWITCHING or not isinstance(told, Paid):
            return self._kept(response, told)
        response.extensions[EXTENSION] = told
        await self._resolve()
        return response

    def _kept(self, response: httpx.Response, told: Paid | Unproven) -> httpx.Response:
        response.extensions[EXTENSION] = told
        body = cast(httpx.AsyncByteStream, response.stream)
        response.stream = PaidBody(body, self.claimed, settled=isinstance(told, Paid))
        return response

    async def _failed(self, response: httpx.Response) -> httpx.Response:
        """Give back an error once the hub has said that it cost nothing, or a receipt what."""
        entry, receipt = self.claimed.entry, proof.told_receipt(response)
        if receipt is not None and not proof.proof_fault(self.purse, entry, receipt):
            return self._kept(response, proof.paid_for(entry, receipt))
        standing = await self._cancel()
        if standing is not None and standing.over_unpaid:
            await self._resolve()
            return response
        await response.aclose()
        raise self._unknown(standing, f"the seller answered {response.status_code}")

    async def _refused(self, verdict: Verdict) -> None:
        standing = await self._cancel()
        if standing is None or not standing.over_unpaid:
            raise self._unknown(standing, "the seller refuses the payment")
        await self._resolve()
        ours = standing.state in ("refused", "denied") and standing.reason != "cancelled"
        if self.replay:
            if ours:
                raise self._no_money_taken(standing, "the payment was refused")
            return
        code = verdict.code or (standing.reason if ours else "payment-refused")
        detail = verdict.detail or "the seller did not accept it"
        raise PaymentRefused(code, detail, payment=self.claimed.entry.payment)

    async def _already_paid(self, response: httpx.Response, verdict: Verdict) -> Exception:
        """Believe that it was paid only what is proven, and only then forget it."""
        entry = self.claimed.entry
        detail = verdict.detail or "the answer is no longer kept"
        receipt = proof.told_receipt(response, verdict.receipt)
        if receipt is not None and not proof.proof_fault(self.purse, entry, receipt):
            await self._resolve()
            return AlreadyPaid(detail, proof.paid_for(entry, receipt))
        standing = await self._cancel()
        made = proof.paid_at_hub(self.purse, entry, standing) if standing is not None else None
        if made is not None and standing is not None and standing.taken:
            await self._resolve()
            return AlreadyPaid(detail, made)
        if standing is not None and standing.over_unpaid:
            await self._resolve()
            return self._no_money_taken(standing, "the seller says that it is paid already")
        return self._unknown(standing, "the seller says that it is paid already")

    async def _unsure(self, response: httpx.Response | None, why: str) -> httpx.Response:
        standing = await self._look_up()
        if standing is not None and standing.over_unpaid:
            await self._resolve()
            if response is None:
                raise self._no_money_taken(standing, why)
            return response
        if standing is not None and standing.unseen and response is not None:
            # The journal keeps the credential: it may be used until it expires.
            return self._kept(response, proof.unproven(self.claimed.entry, standing, why))
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
        if standing is not None and standing.taken:
            made = proof.paid_at_hub(self.purse, self.claimed.entry, standing)
            again = "the same request again asks for the answer and does not pay twice"
            ask = "or ask the seller for a refund of this payment"
            return AnswerLost(f"{why}, and the money is taken; {again}, {ask}", payment, made)
        told = "and the hub could not be asked"
        if standing is not None:
            told = f"and the payment is {standing.state}"
            if standing.unseen:
                told = "and the hub has not seen the payment"
        detail = f"{why}, {told}; the same request again does not pay twice"
        state = standing.state if standing is not None else ""
        return OutcomeUnknown("outcome-unknown", detail, payment=payment, state=state)

    async def _look_up(self, *, tries: bool = True) -> Standing | None:
        """Ask how it stands."""
        payment = self.claimed.entry.payment

        async def ask() -> Standing | None:
            return await look_up(self.inner, self.purse, payment, self.patience.clock)

        return await self._heard(ask, tries)

    async def _cancel(self, *, tries: bool = True) -> Standing | None:
        """Have the order refused for good, unless money moved; and hear how it stands."""
        entry = self.claimed.entry
        if not entry.order:  # Written by an older version, which kept too little to cancel it.
            standing = await self._look_up(tries=tries)
            late = entry.expires < self.patience.clock() // NS
            if standing is not None and standing.unseen and late:
                return Standing(payment=entry.payment, state="never", reason="order-expired")
            return standing

        async def ask() -> Standing | None:
            return await cancel(self.inner, self.purse, entry.payment, entry.order)

        return await self._heard(ask, tries)

    async def _heard(
        self, ask: Callable[[], Awaitable[Standing | None]], more: bool
    ) -> Standing | None:
        tries = self.patience.begin()
        while True:
            standing = await ask()
            if standing is not None or not (more and await tries.again()):
                return standing

    async def _resolve(self) -> None:
        await to_thread.run_sync(self.claimed.resolve)


def with_fields(request: httpx.Request, entry: Entry) -> httpx.Request:
    """Give a request with the credential that was signed for it, in place of any other."""
    ours = {name.lower() for name, _ in entry.fields}
    kept = [(k, v) for k, v in request.headers.multi_items() if k.lower() not in ours]
    return httpx.Request(
        request.method,
        request.url,
        headers=kept + entry.fields,
        content=request.content,
        extensions=request.extensions,
    )


def _said(silence: Exception) -> str:
    return f"no answer came ({silence or type(silence).__name__})"
