"""A session with one seller: opened when it is first asked for, promised as it is used, closed.

    async with client.session("https://shop.example", deposit="0.05 USD") as shop:
        answer = await shop.get("/readings")

Nothing is promised beyond what the tariff says of what was asked for, and never more than the
deposit. A device that was killed goes on with the session that it has on disk.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx

from farthing.clock import NS, Clock
from farthing.codec import to_base64url
from farthing.core.tariffs import owed
from farthing.device.bought_socket import BoughtSocket, Handshake, as_request, opened
from farthing.device.hub_calls import Borrowed, check_private, read_object, text_of
from farthing.device.outcomes import WillNotPay
from farthing.device.purse import Purse
from farthing.device.sessions import DeviceSessions
from farthing.device.socket_words import SocketWords
from farthing.errors import Conflict, FarthingError, Missing, PaymentRefused, Unavailable
from farthing.money import Amount, parse_units
from farthing.protocols.session_client import SessionAsk, session_asks, session_state
from farthing.session_files import Kept, SessionFiles

_TRIES = 4
_LEFT_SECONDS = 30
_LOOK_SECONDS = 0.25
_SECONDS = 60.0


class MeteredSession:
    """What a device asks of one seller under one session.

    Units: `deposit` is the most that is ever promised, and what is held for it.
    Shape: while an answer streams, what the seller reserves is promised before it is used, and
           `ahead` units beyond that. With a `tick` it promises by ticks of so many units, under a
           voucher that is signed once.
    """

    def __init__(
        self,
        purse: Purse,
        url: str,
        deposit: Amount,
        *,
        inner: httpx.AsyncBaseTransport,
        files: Path,
        clock: Clock,
        ahead: int = 0,
        tick: int = 0,
        payees: frozenset[str] | None = None,
        plain_http: bool = False,
    ) -> None:
        self._purse, self._deposit, self._ahead, self._tick = purse, deposit, ahead, tick
        self._clock, self._payees, self._plain_http = clock, payees, plain_http
        self._http = httpx.AsyncClient(
            transport=Borrowed(inner), base_url=url, timeout=_SECONDS, trust_env=False
        )
        self._sessions = DeviceSessions(
            purse, SessionFiles(files), self._http, clock=clock, plain_http=plain_http
        )
        self._ask: SessionAsk | None = None
        self._path = "/"
        self._opening = asyncio.Lock()
        self._under_way = 0
        self._sent: int | None = 0
        self._heard = ""
        self.session = ""
        self.state: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        """Begin; the session is opened with the first request that needs one."""
        return self

    async def __aexit__(self, *_fault: object) -> None:
        """Close the session: the seller takes what is owed, and the rest is free again."""
        with contextlib.suppress(FarthingError, httpx.HTTPError):
            await self.close()
        await self._http.aclose()

    async def get(self, url: str, **options: Any) -> httpx.Response:
        """GET."""
        return await self.request("GET", url, **options)

    async def post(self, url: str, **options: Any) -> httpx.Response:
        """POST."""
        return await self.request("POST", url, **options)

    async def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        """Send a request, and promise what it costs.

        Raises: WillNotPay; PaymentRefused when the seller does not take the promise; Forbidden
                with the hub's reason when no deposit is held; httpx.HTTPError.
        """
        async with self.stream(method, url, **options) as response:
            await response.aread()
        return response

    @contextlib.asynccontextmanager
    async def stream(self, method: str, url: str, **options: Any) -> AsyncGenerator[httpx.Response]:
        """Send a request, and promise more and more while its answer comes."""
        headers = dict(options.pop("headers", {}))
        response = await self._begin(method, url, headers, options)
        streams = self.session and self._ask is not None and self._ask.by != "request"
        following = asyncio.create_task(self._follow()) if streams else None
        try:
            yield response
        finally:
            if following is not None:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
            await response.aclose()

    @contextlib.asynccontextmanager
    async def socket(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        subprotocols: Sequence[str] = (),
    ) -> AsyncGenerator[BoughtSocket]:
        """Open a metered WebSocket, and promise more and more while it is open.

        Shape:  how much its messages come to is not known here, so the deposit alone bounds what
                the seller asks to be promised; `state` says at the end what is owed.
        Raises: as `request`; Unavailable `no-socket`.
        """
        handshake, words = Handshake(subprotocols), SocketWords(self._promise_more)
        fields = dict(headers or {}) | handshake.fields
        response = await self._begin("GET", str(as_request(url)), fields, {})
        self._sent = None
        async with opened(response, handshake, words.answer) as socket:
            try:
                yield socket
            finally:
                self._note_state(self.state | words.receipt)

    async def promise(self, units: int) -> dict[str, str]:
        """Promise `units` in all, and tell the seller; give how the session stands.

        Raises: WillNotPay beyond the deposit; Missing before there is a session.
        """
        kept = self._sessions.files.read(self.session)
        await self._enough(kept, units)
        self._note(await self._send_voucher(kept))
        return self.state

    async def close(self) -> dict[str, str]:
        """Have the seller close the session; give how it stood."""
        kept = self._kept()
        if kept is None or not kept.promised:
            return self.state
        answer = await self._send_voucher(kept, " close")
        if answer.status_code in (204, 402, 410):
            self._note(answer)
            if self.state.get("state") == "closed" or answer.status_code == 204:
                self._sessions.files.forget(self.session)
                self.session = ""
        return self.state

    # Asking

    async def _begin(
        self, method: str, url: str, headers: dict[str, str], options: dict[str, Any]
    ) -> httpx.Response:
        refused: httpx.Response | None = None
        for _ in range(_TRIES):
            shown = await self._promised(refused)
            request = self._http.build_request(method, url, headers=headers | shown, **options)
            response = await self._send(request, paying=bool(shown))
            self._hear(response, shown)
            if response.status_code != 402:
                return response
            await response.aread()
            refused = response
            self._path = request.url.raw_path.decode()
        answer = read_object(refused.content if refused is not None else b"")
        code = text_of(answer, "code") or "payment-required"
        raise PaymentRefused(code, text_of(answer, "detail"))

    async def _send(self, request: httpx.Request, *, paying: bool) -> httpx.Response:
        """Send a request; what is lost on the way may have been served, so it is counted."""
        self._under_way += 1
        if paying and self._sent is not None:
            self._sent += 1
        try:
            response = await self._http.send(request, stream=True)
        finally:
            self._under_way -= 1
        if paying and self._sent is not None and response.status_code >= 400:
            self._sent -= 1
        self._note(response)
        return response

    async def _promised(self, refused: httpx.Response | None) -> dict[str, str]:
        """Give the fields to send: none before a price is known, else what promises enough."""
        if refused is None:
            kept = self._kept()
            return {} if kept is None else await self._enough(kept, self._next(), self._ahead)
        code = text_of(read_object(refused.content), "code")
        if code in ("session-closed", "session-over", "wrong-session") and self.session:
            self._sessions.files.forget(self.session)
            self.session = ""
        kept = self._kept() or await self._open(refused)
        return await self._enough(kept, max(self._next(), self._told(refused)), self._ahead)

    def _next(self) -> int:
        """Tell what the next answer brings the session to, as far as this side can know."""
        ask = self._ask
        if ask is None:
            return 0
        count = parse_units(self.state.get("count", "0"))
        if ask.by == "request" and self._sent is not None:
            count = min(count, self._sent)  # A seller cannot have served more than was asked for.
        return owed(ask.tariff, count + ask.reserve * (self._under_way + 1))

    def _told(self, refused: httpx.Response) -> int:
        """Read how much the seller wants to be promised.

        Raises: WillNotPay when that is more than the tariff says of what was asked for.
        """
        needed = text_of(read_object(refused.content), "needed")
        units = parse_units(needed) if needed else 0
        ask = self._ask
        if ask is not None and ask.by == "request" and self._sent is not None:
            most = owed(ask.tariff, ask.reserve * (self._sent + 1))
            if units > most:
                raise WillNotPay("above-limit", f"{units} units are asked, {most} are owed at most")
        return units

    async def _enough(self, kept: Kept, units: int, ahead: int = 0) -> dict[str, str]:
        """Promise at least so much, and so much ahead as the deposit has."""
        most = kept.deposit
        if self._tick:  # Whole ticks only.
            most -= (kept.deposit - kept.promised) % self._tick
        if units > most:
            detail = f"{units} units are needed, the deposit is {kept.deposit}"
            raise WillNotPay("above-limit", detail)
        units = min(max(units, 1) + ahead, most)
        if units > kept.promised:
            with contextlib.suppress(Conflict):  # Another task has promised as much meanwhile.
                self._raise(kept.session, units)
        return self._fields(kept.session)

    def _raise(self, session: str, units: int) -> None:
        if self._tick:
            self._sessions.climb(session, units, self._tick)
        else:
            self._sessions.promise(session, units)

    def _fields(self, session: str, close: str = "") -> dict[str, str]:
        """Write what was promised last: a tick goes alone once the seller has its voucher."""
        shown = self._sessions.shown(session)
        voucher, fields = f"{session} {to_base64url(shown.voucher)}", dict[str, str]()
        if not shown.tick or voucher != self._heard:
            fields["farthing-voucher"] = voucher + close
        if shown.tick:
            fields["farthing-tick"] = f"{session} {to_base64url(shown.tick)}{close}"
        return fields

    async def _promise_more(self, units: int, anew: bool) -> Sequence[str]:
        """Promise so much in all, and give the words that say so on a socket.

        Shape: `anew` tells that the seller did not have the voucher that a tick goes on from.
        """
        kept = self._kept()
        if kept is None:
            return []
        self._heard = "" if anew else self._heard
        fields = await self._enough(kept, units, self._ahead)
        self._heard = fields.get("farthing-voucher", self._heard)
        return [f"{name} {value.split()[1]}" for name, value in fields.items()]

    def _hear(self, response: httpx.Response, shown: dict[str, str]) -> None:
        """Note whether the seller has the voucher that a tick goes on from."""
        if response.status_code == 402:
            self._heard = ""
        elif response.status_code < 400:
            self._heard = shown.get("farthing-voucher", self._heard)

    async def _follow(self) -> None:
        """Promise the next reserve, and what is to be ahead of it, while an answer streams."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            kept = self._kept()
            if kept is None:
                continue
            with contextlib.suppress(FarthingError, httpx.HTTPError):
                await self._enough(kept, min(self._next(), kept.deposit), self._ahead)
                self._note(await self._send_voucher(kept))

    async def _send_voucher(self, kept: Kept, close: str = "") -> httpx.Response:
        """Tell the seller what was promised last; a tick that it does not take, with its voucher.

        Shape: an answer to HEAD does not say why it refuses.
        """
        while True:
            shown = self._fields(kept.session, close)
            answer = await self._http.request("HEAD", self._path, headers=shown)
            self._hear(answer, {} if close else shown)
            if answer.status_code != 402 or "farthing-voucher" in shown:
                return answer

    def _note(self, response: httpx.Response) -> None:
        self._note_state(session_state(response.headers))

    def _note_state(self, state: dict[str, str]) -> None:
        newer = parse_units(state.get("count", "0")) >= parse_units(self.state.get("count", "0"))
        over = state.get("state") == "closed"  # The rest of a second was given back by then.
        if state.get("session") == self.session and (newer or over):
            self.state = state

    # The session

    def _kept(self) -> Kept | None:
        if not self.session:
            return None
        try:
            return self._sessions.files.read(self.session)
        except Missing:
            return None

    async def _open(self, refused: httpx.Response) -> Kept:
        """Open the session that a 402 asks for, or go on with one that is on disk."""
        async with self._opening:
            kept = self._kept()
            if kept is None:
                ask = self._willing(refused)
                kept = await self._resumed(ask) or await self._sessions.open(
                    ask.payee,
                    ask.tariff,
                    self._deposit.units,
                    lifetime_seconds=ask.lifetime_seconds,
                    grace_seconds=ask.grace_seconds,
                    purpose=ask.purpose,
                )
                self._ask, self.session, self.state = ask, kept.session, {"session": kept.session}
            return kept

    async def _resumed(self, ask: SessionAsk) -> Kept | None:
        """Find a session of this seller that was left open before.

        Shape: how much was sent under it is not known, so the deposit alone bounds it.
        """
        tariff = to_base64url(ask.tariff.digest())
        for kept in self._sessions.files.all():
            if (kept.payee, kept.tariff, kept.purpose) != (ask.payee, tariff, ask.purpose):
                continue
            if kept.opening or kept.ends > self._clock() // NS + _LEFT_SECONDS:
                self._sent = None
                return await self._sessions.send(kept) if kept.opening else kept
        return None

    def _willing(self, refused: httpx.Response) -> SessionAsk:
        """Check what a seller asks a session for, before anything is signed.

        Raises: WillNotPay; Malformed `not-private`; Unavailable.
        """
        asks = session_asks(refused.headers.multi_items())
        if not asks:
            raise Unavailable("no-session-offered", "this is not sold by sessions")
        check_private(refused.request.url, plain_http=self._plain_http)
        for ask in asks:
            if ask.hub != self._purse.hub:
                continue
            if self._payees is not None and ask.payee not in self._payees:
                raise WillNotPay("payee-not-allowed", f"{ask.payee} is not among the allowed")
            if ask.tariff.asset != self._deposit.asset.code:
                raise WillNotPay("asset-not-allowed", f"the deposit is in {self._deposit.asset}")
            return ask
        raise WillNotPay("another-hub", f"the seller wants money of the hub {asks[0].hub}")
