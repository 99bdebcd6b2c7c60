"""An HTTP client that pays, ready made: `PayingTransport` under an `httpx.AsyncClient`."""

import contextlib
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx

from farthing.device.bought_socket import BoughtSocket, Handshake, as_request, opened
from farthing.device.metered import MeteredSession
from farthing.device.outcomes import EXTENSION, Paid, Promised, Unproven
from farthing.device.patience import Patience
from farthing.device.paying_transport import BODY_BYTES_MAX, Cap, PayingTransport
from farthing.device.purse import Purse
from farthing.device.told import amount_told, folder_told
from farthing.money import Amount
from farthing.protocols.names import MPP

T = TypeVar("T", Paid, Unproven, Promised)


class Client(httpx.AsyncClient):
    """An `httpx.AsyncClient` that pays for what it asks for, within limits.

    Shape: keyword arguments are those of `PayingTransport`, `transport` for what is below it,
           and any other of `httpx.AsyncClient`.
    """

    def __init__(
        self,
        purse: Purse,
        *,
        cap: Cap = None,
        payees: Collection[str] | None = None,
        prefer: str = MPP,
        patience: Patience | None = None,
        plain_http: bool = False,
        body_bytes_max: int = BODY_BYTES_MAX,
        deposit: str | Amount | None = None,
        files: Path | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        **http: Any,
    ) -> None:
        below = transport or httpx.AsyncHTTPTransport(
            verify=http.pop("verify", True), http2=http.pop("http2", False)
        )
        self.paying = PayingTransport(
            purse,
            cap=cap,
            payees=payees,
            prefer=prefer,
            patience=patience,
            inner=below,
            plain_http=plain_http,
            body_bytes_max=body_bytes_max,
            deposit=deposit,
            files=files,
        )
        super().__init__(transport=self.paying, **http)

    async def end_sessions(self, session: str = "") -> list[str]:
        """End the sessions that vouchers were signed in, all or one; give those that are ended."""
        return await self.paying.end_sessions(session)

    @contextlib.asynccontextmanager
    async def socket(
        self,
        url: str | httpx.URL,
        *,
        headers: Mapping[str, str] | None = None,
        subprotocols: Sequence[str] = (),
    ) -> AsyncGenerator[BoughtSocket]:
        """Open a WebSocket, and pay for its handshake if need be.

        Shape:  `paid(socket.response)` tells what was paid; a metered one is opened by a session's
                `socket`.
        Raises: as a request does; Unavailable `no-socket`.
        """
        handshake = Handshake(subprotocols)
        fields = dict(headers or {}) | handshake.fields
        request = self.build_request("GET", as_request(url), headers=fields)
        async with opened(await self.send(request, stream=True), handshake) as socket:
            yield socket

    def session(
        self,
        url: str,
        deposit: str | Amount,
        *,
        ahead: str | Amount | None = None,
        tick: str | Amount | None = None,
        files: Path | None = None,
    ) -> MeteredSession:
        """Buy what is metered at a seller: `async with client.session(url, "0.05 USD") as shop`.

        Shape:  `deposit` is held at the first request that needs a session, and is the most that
                it can cost; `ahead` is promised beyond what is used while an answer streams;
                with a `tick` one voucher is signed, and each hash after it promises so much more;
                `files` is where sessions are kept instead of in the purse's folder.
        Raises: MalformedPrice; BadConfig `no-purse-folder`.
        """
        purse = self.paying.purse
        more = amount_told(purse, ahead) if ahead is not None else None
        step = amount_told(purse, tick) if tick is not None else None
        return MeteredSession(
            purse,
            url,
            amount_told(purse, deposit),
            inner=self.paying.inner,
            files=folder_told(purse, files, "sessions"),
            clock=self.paying.patience.clock,
            ahead=more.units if more is not None else 0,
            tick=step.units if step is not None else 0,
            payees=self.paying.payees,
            plain_http=self.paying.plain_http,
        )


def paid(response: httpx.Response) -> Paid | None:
    """Tell what was paid for an answer or for one of the redirects before it, and is proven."""
    return _told(response, Paid)


def promised(response: httpx.Response) -> Promised | None:
    """Tell what was promised for an answer or for a redirect before it, by a voucher."""
    return _told(response, Promised)


def unproven(response: httpx.Response) -> Unproven | None:
    """Tell what was signed for an answer or a redirect before it, if its outcome is open."""
    return _told(response, Unproven)


def _told(response: httpx.Response, kind: type[T]) -> T | None:
    for each in (response, *reversed(response.history)):
        found = each.extensions.get(EXTENSION)
        if isinstance(found, kind):
            return found
    return None
