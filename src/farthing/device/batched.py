"""Paying by x402 `batch-settlement`: a deposit once, then a voucher with each request.

The counter is raised on disk before a voucher is signed, and what was signed is in the journal
before it is sent. So the same request again sends the same voucher: a seller that took it before
says so, and nothing more is promised for it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, cast

import httpx
from anyio import to_thread

from farthing.batch_sessions import MORE, OVER, BatchSessions, session_of
from farthing.codec import from_base64url
from farthing.core.refusals import EXPLAINED, Refusal
from farthing.core.vouchers import read_voucher
from farthing.device.answers import Meaning, Verdict, read_answer
from farthing.device.at_most import AT_MOST, AtMost, Teller
from farthing.device.hub_calls import cancel, end_session
from farthing.device.journal import Claimed, Entry
from farthing.device.limits import Limits, Wanted
from farthing.device.outcomes import EXTENSION, AwaitingOwner, Promised, WillNotPay
from farthing.device.paid_body import PaidBody
from farthing.device.patience import Patience
from farthing.device.payment import with_fields
from farthing.device.purse import Purse
from farthing.errors import OutcomeUnknown, PaymentRefused
from farthing.money import Amount, Asset
from farthing.protocols import names
from farthing.protocols.x402_answers import PaymentAnswer, payment_answer, read_field
from farthing.protocols.x402_batch import BatchAsk, batch_asks
from farthing.protocols.x402_client import voucher_credential
from farthing.session_files import Kept, SessionFiles

_OWNER_SECONDS = 2.0
_WAITING, _CANCELLED = "awaiting_owner", "cancelled"
_TAKEN = ("voucher_used", "duplicate_settlement", *OVER)
_TAKEN_BY_COUNT = (*_TAKEN, *MORE)
"""What a voucher may hear that its seller has taken before; one that counts asks for more."""


class Refused(NamedTuple):
    """A voucher did not do, and another one may."""

    error: str
    detail: str


class BatchPayer:
    """Pays requests by vouchers, within limits.

    Shape: `deposit` is what is held with a seller, and once more whenever it is used up.
    """

    def __init__(
        self,
        purse: Purse,
        inner: httpx.AsyncBaseTransport,
        patience: Patience,
        *,
        limits: Limits,
        deposit: Amount,
        folder: Path,
    ) -> None:
        self._purse, self._inner, self._patience = purse, inner, patience
        self._limits, self._deposit = limits, deposit
        self._files = SessionFiles(folder)
        self._sessions = BatchSessions(purse.signer, purse.device, self._files, patience.clock)

    def choose(
        self, headers: Iterable[tuple[str, str]], wanted: Wanted, now_ns: int
    ) -> BatchAsk | None:
        """Pick the requirement to pay; None where nothing is sold by the request and a session.

        Raises: WillNotPay.
        """
        asks = {id(ask.raw): ask for ask in batch_asks(headers) if ask.by == "request"}
        if not asks:
            return None
        chosen = self._limits.choose([ask.whole for ask in asks.values()], wanted, now_ns)
        ask = asks[id(chosen.raw)]
        if ask.asset != self._deposit.asset.code:
            raise WillNotPay("asset-not-allowed", f"the deposit is in {self._deposit.asset.code}")
        if ask.most > self._deposit.units:
            most = Amount(ask.most, self._deposit.asset)
            detail = f"one request costs up to {most}; hold more than {self._deposit} (--deposit)"
            raise WillNotPay("above-limit", detail)
        return ask

    async def pay(self, request: httpx.Request, name: str, ask: BatchAsk) -> httpx.Response:
        """Promise what one request may cost, and once more for each reason that allows it.

        Raises: PaymentRefused, AwaitingOwner, OutcomeUnknown.
        """
        met: set[str] = set()
        while True:
            claimed = await to_thread.run_sync(self._sign, request, name, ask, not met)
            answer = await self.deliver(request, claimed, replay=False)
            if isinstance(answer, httpx.Response):
                return answer
            if answer.error in met:
                raise _refusal(answer, claimed.entry)
            met.add(answer.error)

    async def deliver(
        self, request: httpx.Request, claimed: Claimed, *, replay: bool
    ) -> httpx.Response | Refused:
        """Send one voucher with its request until something is known.

        Raises: PaymentRefused, AwaitingOwner, OutcomeUnknown.
        """
        served = False
        try:
            answer = await self._deliver(request, claimed, replay=replay)
            served = isinstance(answer, httpx.Response)  # Its body lets go of what is claimed.
            return answer
        finally:
            if not served:
                claimed.release()

    async def end(self, session: str = "") -> list[str]:
        """End sessions at the hub, all or one, and give those that are ended.

        Shape: what was not charged is free once its seller has closed it, or after its grace.
        """
        ended: list[str] = []
        for kept in await to_thread.run_sync(self._files.all):
            if session in ("", kept.session) and await self._ended(kept):
                await to_thread.run_sync(self._files.forget, kept.session)
                ended.append(kept.session)
        return ended

    async def _ended(self, kept: Kept) -> bool:
        clock = self._patience.clock
        order = self._sessions.opening_order(kept)
        if order is not None:  # Nobody said that it is held; from now on nobody can have it held.
            payment, members = order
            standing = await cancel(self._inner, self._purse, payment, members)
            if standing is None:
                return False
            if standing.over_unpaid:
                return True
        return await end_session(self._inner, self._purse, kept.session, clock)

    # One voucher

    def _sign(self, request: httpx.Request, name: str, ask: BatchAsk, first: bool) -> Claimed:
        tell: Teller | None = request.extensions.get(AT_MOST)

        def told(held: int) -> None:
            if tell is not None and (first or held):
                tell(self._at_most(ask, held))

        payload = self._sessions.payload(ask, self._deposit.units, told)
        claims = read_voucher(from_base64url(payload["voucher"])).claims
        entry = Entry(
            payment=f"{session_of(payload)}-{claims.sequence}",
            request=name,
            method=request.method,
            url=str(request.url),
            language=names.X402,
            payee=ask.payee,
            asset=ask.asset,
            scale=self._deposit.asset.scale,
            amount=ask.most,
            expires=claims.expiry,
            fields=[(names.SIGNATURE_FIELD, voucher_credential(ask.raw, payload))],
            scheme=names.BATCH,
        )
        return self._purse.journal.write(entry)

    def _at_most(self, ask: BatchAsk, held: int) -> AtMost:
        asset = self._deposit.asset
        return AtMost(
            amount=Amount(ask.most, asset),
            payee=ask.payee,
            scheme=names.BATCH,
            held=Amount(held, asset) if held else None,
        )

    async def _deliver(
        self, request: httpx.Request, claimed: Claimed, *, replay: bool
    ) -> httpx.Response | Refused:
        tries, before = self._patience.begin(), replay
        while True:
            try:
                response = await self._inner.handle_async_request(
                    with_fields(request, claimed.entry)
                )
                verdict = await read_answer(response, self._patience.clock())
            except httpx.TransportError as silence:
                before = True
                if await tries.again():
                    continue
                raise _unheard(claimed.entry, silence) from silence
            if verdict.meaning is Meaning.WAIT and await tries.again(verdict.retry_after_seconds):
                before = True
                await response.aclose()
                continue
            told = payment_answer(response.headers.multi_items())
            if response.status_code != 402:
                return await self._served(response, claimed, told)
            await response.aclose()
            wait = verdict.retry_after_seconds or _OWNER_SECONDS
            if told.error != _WAITING:
                return await self._refused(claimed, told, verdict, before=before)
            if not await tries.for_owner(wait):
                raise AwaitingOwner(claimed.entry.payment, wait)

    async def _served(
        self, response: httpx.Response, claimed: Claimed, told: PaymentAnswer
    ) -> httpx.Response:
        """Give the answer, and say what was promised for it; nothing proves what is charged."""
        entry = claimed.entry
        payload = _payload(entry)
        if told.taken:
            charged = told.state.charged
            await to_thread.run_sync(self._sessions.served, payload, charged)
        response.extensions[EXTENSION] = await to_thread.run_sync(self._promised, entry, told)
        body = cast(httpx.AsyncByteStream, response.stream)
        response.stream = PaidBody(body, claimed)
        return response

    def _promised(self, entry: Entry, told: PaymentAnswer) -> Promised:
        payload, asset = _payload(entry), Asset(entry.asset, entry.scale)
        kept = self._files.read(session_of(payload))
        charged = told.state.charged
        return Promised(
            session=kept.session,
            payee=entry.payee,
            amount=Amount(entry.amount, asset),
            promised=Amount(kept.promised, asset),
            held=Amount(kept.deposit, asset),
            charged=Amount(charged, asset) if charged is not None else None,
        )

    async def _refused(
        self, claimed: Claimed, told: PaymentAnswer, verdict: Verdict, *, before: bool
    ) -> Refused:
        """Note why a voucher did not do.

        Raises: OutcomeUnknown `answer-lost` where it was taken when it was sent before;
                PaymentRefused where no other one will do.
        """
        entry = claimed.entry
        if before and told.error in (_TAKEN_BY_COUNT if _is_counted(entry) else _TAKEN):
            raise _lost(entry, told.error)
        args = (_payload(entry), told.error, told.state)
        more = await to_thread.run_sync(self._sessions.refused, *args)
        await to_thread.run_sync(claimed.resolve)
        refused = Refused(told.error, verdict.detail)
        if not more and told.error != _CANCELLED:
            raise _refusal(refused, entry)
        return refused


def _payload(entry: Entry) -> dict[str, Any]:
    return cast(dict[str, Any], read_field(entry.fields[0][1])["payload"])


def _is_counted(entry: Entry) -> bool:
    """Tell whether a seller counts requests, instead of taking each voucher's number once."""
    accepted = cast(dict[str, Any], read_field(entry.fields[0][1])["accepted"])
    return "tariff" in (accepted.get("extra") or {})


def _refusal(refused: Refused, entry: Entry) -> PaymentRefused:
    code = refused.error.replace("_", "-") or "payment-refused"
    known = EXPLAINED[Refusal(code)] if code in list(Refusal) else "the seller did not accept it"
    return PaymentRefused(code, refused.detail or known, payment=entry.payment)


def _lost(entry: Entry, error: str) -> OutcomeUnknown:
    code = error.replace("_", "-")
    most = Amount(entry.amount, Asset(entry.asset, entry.scale))
    detail = f"the seller says {code} to the voucher that was sent before: it may have charged"
    again = "give it up and promise for it once more with --anew"
    return OutcomeUnknown(
        "answer-lost", f"{detail} up to {most} for an answer that was lost; {again}",
        payment=entry.payment, state="promised",
    )  # fmt: skip


def _unheard(entry: Entry, silence: Exception) -> OutcomeUnknown:
    detail = f"no answer came ({silence or type(silence).__name__}); "
    again = "the same request again sends the same voucher and promises nothing more"
    return OutcomeUnknown(
        "outcome-unknown", detail + again, payment=entry.payment, state="promised"
    )
