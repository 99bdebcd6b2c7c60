"""A transport that pays: 402 → check → sign once → the same credential until it is settled.

`PayingTransport` can stand under any `httpx.AsyncClient`. An answer that is proven to be paid for
has a `Paid` in `response.extensions["farthing_paid"]`, one of which that is not known an
`Unproven`, one that a voucher bought a `Promised`. A credential goes to the URL that asked for it
and nowhere else: redirects are followed above this transport, from the request as the caller made
it.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path
from typing import cast

import httpx
from anyio import to_thread

from farthing import ids
from farthing.clock import NS
from farthing.core.orders import payment_name
from farthing.device import at_most
from farthing.device.answers import bounded_body
from farthing.device.batched import BatchPayer
from farthing.device.giving_up import ANEW, Teller, given_up_voucher
from farthing.device.hub_calls import Standing, cancel, check_private, look_up
from farthing.device.journal import Claimed, Entry, request_name
from farthing.device.limits import Limits, Wanted, caps_of
from farthing.device.patience import Patience
from farthing.device.payment import Delivery
from farthing.device.purse import Purse
from farthing.device.told import amount_told, folder_told
from farthing.errors import BadConfig, OutcomeUnknown, TooLarge
from farthing.money import Amount
from farthing.protocols.client import Ask, asks
from farthing.protocols.names import BATCH, MPP, X402

BODY_BYTES_MAX = 1024 * 1024
Cap = str | Amount | Sequence[str | Amount] | None
"""The largest single payment: `"0.05 USD"`, one for each of several assets, or the purse's."""


class PayingTransport(httpx.AsyncBaseTransport):
    """Pays what the answers of another transport ask for, within limits.

    Shape: `cap` is the largest single payment; `payees` are the accounts that may be paid, or
           None for any; `prefer` is `mpp` or `x402`; `plain_http` allows sellers without TLS
           that are not on this machine; `body_bytes_max` bounds how much of a streamed request
           body is kept for the second sending. What is sold for vouchers alone is paid from a
           `deposit`, which is held with each such seller; `files` is where its sessions are kept
           instead of in the purse's folder.
    """

    def __init__(
        self,
        purse: Purse,
        *,
        cap: Cap = None,
        payees: Collection[str] | None = None,
        prefer: str = MPP,
        patience: Patience | None = None,
        inner: httpx.AsyncBaseTransport | None = None,
        plain_http: bool = False,
        body_bytes_max: int = BODY_BYTES_MAX,
        deposit: str | Amount | None = None,
        files: Path | None = None,
    ) -> None:
        if prefer not in (MPP, X402):
            raise BadConfig("unknown-language", f"prefer is {MPP} or {X402}")
        self.purse = purse
        self.patience = patience or Patience()
        self.inner = inner or httpx.AsyncHTTPTransport()
        caps = caps_of(cap, purse.assets, purse.membership.max)
        self._limits = Limits(hub=purse.hub, caps=caps, payees=payees, prefer=prefer)
        self.plain_http = plain_http
        self.payees = frozenset(payees) if payees is not None else None
        self._body_bytes_max = body_bytes_max
        self._batched = self._batch_payer(deposit, files)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and pay for its answer if need be.

        Shape:  the request's extension `farthing_anew`, a function that is told each `GivenUp`,
                has earlier payments of it given up instead of asked for; it may pay twice.
        Raises: WillNotPay, PaymentRefused, AwaitingOwner, AlreadyPaid, OutcomeUnknown, TooLarge;
                httpx.TransportError while nothing has been signed.
        """
        request = await self._repeatable(request)
        name = request_name(request.method, str(request.url), request.content)
        anew: Teller | None = request.extensions.get(ANEW)
        while (claimed := await to_thread.run_sync(self.purse.journal.claim, name)) is not None:
            if claimed.entry.scheme == BATCH:
                response = await self._again(request, claimed, anew)
                if response is not None:
                    return response
                continue
            delivery = self._delivery(request, claimed, replay=True)
            if anew is not None:
                anew(await delivery.give_up())
                continue
            response = await delivery.run()
            if response is not None:
                return response  # Else that order is void, and the next one is looked at.
        response = await self.inner.handle_async_request(request)
        found = asks(response.headers.multi_items()) if response.status_code == 402 else []
        if not found:
            return await self._by_voucher(request, name, response)
        await bounded_body(response)
        await response.aclose()
        claimed = await self._sign(request, name, found)
        paid = await self._delivery(request, claimed, replay=False).run()
        return cast(httpx.Response, paid)  # Only a replay gives None.

    async def reconcile(self) -> list[Standing]:
        """Look up every payment whose outcome is open, and forget those that are over.

        Shape: how each stands; one that the hub could not be asked about is left out.
        """
        found: list[Standing] = []
        for entry in await to_thread.run_sync(self.purse.journal.unresolved):
            if entry.scheme == BATCH:  # A voucher is no payment of its own at the hub.
                await self._forget_late(entry)
                continue
            standing = await look_up(self.inner, self.purse, entry.payment, self.patience.clock)
            if standing is None:
                continue
            found.append(standing)
            expired = entry.expires < self.patience.clock() // NS
            if standing.over_unpaid or (standing.unseen and expired):
                await self._forget(entry)
        return found

    async def end_sessions(self, session: str = "") -> list[str]:
        """End the sessions that vouchers were signed in, all or one; give those that are ended.

        Shape: what was not charged is free once the seller has closed it, or after its grace.
        """
        return [] if self._batched is None else await self._batched.end(session)

    async def aclose(self) -> None:
        """Close the transport below."""
        await self.inner.aclose()

    async def _by_voucher(
        self, request: httpx.Request, name: str, response: httpx.Response
    ) -> httpx.Response:
        """Pay for what is sold for vouchers alone; give the answer as it is where it is not."""
        if self._batched is None or response.status_code != 402 or "upgrade" in request.headers:
            return response
        headers = response.headers.multi_items()
        ask = self._batched.choose(headers, _wanted(request), self.patience.clock())
        if ask is None:
            return response
        await response.aclose()
        check_private(request.url, plain_http=self.plain_http)
        return await self._batched.pay(request, name, ask)

    async def _again(
        self, request: httpx.Request, claimed: Claimed, anew: Teller | None
    ) -> httpx.Response | None:
        """Send a voucher of this request again; None where the request is to be made anew."""
        if anew is not None:
            anew(given_up_voucher(claimed.entry))
            await to_thread.run_sync(claimed.resolve)
            return None
        if self._batched is None:
            claimed.release()
            detail = "a voucher of this request is not answered; say what may be held (--deposit)"
            raise OutcomeUnknown("outcome-unknown", detail, payment=claimed.entry.payment)
        answer = await self._batched.deliver(request, claimed, replay=True)
        return answer if isinstance(answer, httpx.Response) else None

    def _batch_payer(self, deposit: str | Amount | None, files: Path | None) -> BatchPayer | None:
        if deposit is None:
            return None
        return BatchPayer(
            *(self.purse, self.inner, self.patience),
            limits=self._limits,
            deposit=amount_told(self.purse, deposit),
            folder=folder_told(self.purse, files, "batch-sessions"),
        )

    async def _forget_late(self, entry: Entry) -> None:
        if entry.expires >= self.patience.clock() // NS:
            return
        claimed = await to_thread.run_sync(self.purse.journal.claim, entry.request)
        if claimed is None:
            return
        if claimed.entry.payment == entry.payment:
            await to_thread.run_sync(claimed.resolve)
        claimed.release()

    async def _forget(self, entry: Entry) -> None:
        claimed = await to_thread.run_sync(self.purse.journal.claim, entry.request)
        if claimed is None:
            return
        # This machine's clock alone does not say that nobody can cash an order any more.
        if claimed.entry.payment == entry.payment and await self._is_over(entry):
            claimed.resolve()
        claimed.release()

    async def _is_over(self, entry: Entry) -> bool:
        if not entry.order:
            return True
        standing = await cancel(self.inner, self.purse, entry.payment, entry.order)
        return standing is not None and standing.over_unpaid

    def _delivery(self, request: httpx.Request, claimed: Claimed, *, replay: bool) -> Delivery:
        return Delivery(
            purse=self.purse,
            inner=self.inner,
            patience=self.patience,
            request=request,
            claimed=claimed,
            replay=replay,
        )

    async def _sign(self, request: httpx.Request, name: str, found: list[Ask]) -> Claimed:
        check_private(request.url, plain_http=self.plain_http)
        now_ns = self.patience.clock()
        ask = self._limits.choose(found, _wanted(request), now_ns)
        asset = self._limits.caps[ask.asset].asset
        tell: at_most.Teller | None = request.extensions.get(at_most.AT_MOST)
        if ask.at_most and tell is not None:
            most = Amount(ask.amount, asset)
            tell(at_most.AtMost(amount=most, payee=ask.payee, scheme=ask.scheme))
        order = ask.order(self.purse.device, now_ns, lambda: _nonce(now_ns))
        signed = self.purse.sign(order)
        entry = Entry(
            payment=payment_name(order),
            request=name,
            method=request.method,
            url=str(request.url),
            language=ask.language,
            payee=order.payee,
            asset=order.asset,
            scale=asset.scale,
            amount=order.amount,
            expires=order.expires,
            fields=ask.credential(signed),
            order=order.members(),
        )
        return await to_thread.run_sync(self.purse.journal.write, entry)

    async def _repeatable(self, request: httpx.Request) -> httpx.Request:
        """Give the request with a body that can be sent again."""
        try:
            _ = request.content
        except httpx.RequestNotRead:
            body = await self._kept_body(request)
        else:
            return request
        # httpx writes Content-Length for a body of bytes; a chunked one had Transfer-Encoding.
        kept = [(k, v) for k, v in request.headers.multi_items() if k != "transfer-encoding"]
        return httpx.Request(
            request.method, request.url, headers=kept, content=body, extensions=request.extensions
        )

    async def _kept_body(self, request: httpx.Request) -> bytes:
        body = bytearray()
        async for chunk in cast(AsyncIterator[bytes], request.stream):
            body += chunk
            if len(body) > self._body_bytes_max:
                limit = self._body_bytes_max
                detail = f"a paid request is sent twice, and this stream is over {limit} bytes"
                raise TooLarge("body-too-large", f"{detail}; pass it as bytes, or raise the limit")
        return bytes(body)


def _wanted(request: httpx.Request) -> Wanted:
    return Wanted(
        method=request.method,
        target=request.url.raw_path.decode(),
        body=request.content,
        authorization_used="authorization" in request.headers,
    )


def _nonce(now_ns: int) -> str:
    return ids.encode(ids.fresh(now_ns // 1_000_000))
