"""A WebSocket under a session: what the app sends is counted on disk before it leaves.

Vouchers and ticks come as text messages of their own among the client's. Where no more is promised
the app's message waits, the client is told how much to promise, and the socket ends when nothing
comes in time; its last message is the receipt.

Source: docs/reference/metering.md, "Over a WebSocket".
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from farthing.clock import Clock
from farthing.codec import from_base64url
from farthing.core.meters import current
from farthing.core.usage import Usage
from farthing.errors import FarthingError
from farthing.log_lines import Log
from farthing.protocols.mpp_session import need_voucher_members, receipt_members
from farthing.services.metering import Metering, Wanted
from farthing.web.asgi import App, Message, RawHeaders, Receive, Scope, Send, raw_headers
from farthing.web.bought_seconds import BoughtSeconds
from farthing.web.metered_run import SCOPE_COUNT
from farthing.web.paid_run import AnswerStopped, is_about_payment
from farthing.web.voucher_field import COUNT, SESSION, session_field

log = Log("paywall")

VOUCHER, TICK = "farthing-voucher ", "farthing-tick "
NEED, REFUSED, RECEIPT = "farthing-need-voucher ", "farthing-refused ", "farthing-receipt "
UNREAD_MAX = 64
"""Messages of the client that the app has not read yet; vouchers behind them wait."""

UNPAID, FAILED = 4402, 1011

_OURS = (COUNT, SESSION.encode())


class MeteredSocket:
    """One socket, for whose first message a reserve of its count is set aside."""

    def __init__(
        self,
        metering: Metering,
        usage: Usage,
        session: str,
        wanted: Wanted,
        clock: Clock,
        *,
        wait_seconds: float = 60.0,
    ) -> None:
        self._metering, self._usage, self._session = metering, usage, session
        self._wanted, self._clock, self._wait_seconds = wanted, clock, wait_seconds
        self._reserved = usage.reserve
        self._came: asyncio.Queue[Message] = asyncio.Queue(UNREAD_MAX)
        self._seconds = BoughtSeconds(metering, session, self._cover, self._unpaid)
        self._open, self._stopped = False, False
        self._covering: asyncio.Task[bool] | None = None

    async def __call__(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        """Run `app`; what it sends goes on as far as it is promised."""
        self._send_on = send
        given = {**scope, SCOPE_COUNT: self.count} if self._usage.by == "handler" else scope
        reading = asyncio.create_task(self._read(receive))
        code = FAILED
        try:
            await app(given, self._came.get, self._send)
            code = 1000
        except AnswerStopped:
            pass
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await self._end(code)

    async def count(self, count: int) -> None:
        """Count what a handler is about to give; wait until it is promised.

        Raises: AnswerStopped when no voucher comes in time.
        """
        if count > 0:
            await self._buy(count)

    # What comes

    async def _read(self, receive: Receive) -> None:
        while True:
            message = await receive()
            text = message.get("text") or ""
            if message["type"] == "websocket.receive" and text.startswith((VOUCHER, TICK)):
                await self._take(text)
                continue
            if message["type"] == "websocket.disconnect":
                self._hang_up()
            await self._came.put(message)

    def _hang_up(self) -> None:
        """Let nobody wait for a voucher: there is nobody left to send one."""
        self._stopped = True
        self._seconds.free()
        if self._covering is not None:
            self._covering.cancel()

    async def _take(self, text: str) -> None:
        """Take a voucher or a tick: it is on disk before anything is sent for it."""
        try:
            kind, shown = text.split(" ", 1)
            raw, tick = from_base64url(shown), b""
            if kind == TICK.rstrip():
                raw, tick = b"", raw
            await self._metering.present(self._session, raw, self._wanted, tick)
        except FarthingError as problem:
            await self._tell(REFUSED, problem.problem())

    # What goes

    async def _send(self, message: Message) -> None:
        if self._stopped:
            raise AnswerStopped
        match message["type"]:
            case "websocket.accept":
                await self._accept(message)
            case "websocket.send":
                await self._pay_for(message)
                await self._pass(message)
            case "websocket.close" if self._open:
                await self._end(int(message.get("code", 1000)), message.get("reason") or "")
            case "websocket.http.response.start":
                await self._pass(_refusal(message))
            case _:
                await self._pass(message)

    async def _accept(self, message: Message) -> None:
        """Say how the session stands, and let the first second run."""
        told = raw_headers([session_field(self._state())])
        await self._pass({**message, "headers": [*_kept(message), *told]})
        self._open = True
        if self._usage.by == "second":
            await self._cover_or_end(1)
            async with self._counting():
                await self._seconds.begin(1)

    async def _pay_for(self, message: Message) -> None:
        if self._usage.by == "request":
            await self._buy(1)
        elif self._usage.by == "byte":
            data = message.get("bytes")
            size = len((message.get("text") or "").encode() if data is None else data)
            if size:
                await self._buy(size)
        await self._seconds.wait()
        if self._stopped:
            raise AnswerStopped

    async def _buy(self, count: int) -> None:
        """Count what comes next, as soon as it is promised; else end the socket.

        Raises: AnswerStopped when no voucher comes in time, or it cannot be counted.
        """
        await self._cover_or_end(count)
        async with self._counting():
            await self._metering.use(self._session, count, reserved=count)

    @contextlib.asynccontextmanager
    async def _counting(self) -> AsyncGenerator[None]:
        """End the socket where what it gives cannot be counted."""
        try:
            yield
        except FarthingError as problem:
            log.error("paywall.not_counted", session=self._session, code=problem.code)
            await self._end(FAILED)
            raise AnswerStopped from None

    async def _cover_or_end(self, count: int) -> None:
        try:
            await self._cover(count)
        except AnswerStopped:
            await self._end(UNPAID)
            raise

    async def _cover(self, count: int) -> None:
        """Set a count aside, as soon as it is promised.

        Raises: AnswerStopped when no voucher comes in time.
        """
        reserved, self._reserved = self._reserved, 0
        try:
            self._metering.reserve(self._session, count, reserved)
        except FarthingError as problem:
            if problem.code != "voucher-needed" or not await self._covered(count, problem):
                raise AnswerStopped from None

    async def _covered(self, count: int, problem: FarthingError) -> bool:
        needed = str(problem.more["needed"])
        await self._tell(NEED, need_voucher_members(self._state(), needed))
        if self._stopped:
            return False
        waits = self._metering.wait_covered(self._session, count, self._wait_seconds)
        covering = self._covering = asyncio.create_task(waits)
        try:
            await asyncio.wait({covering})
        finally:
            self._covering = None
            covering.cancel()
        return not covering.cancelled() and covering.result()

    # The end

    async def _end(self, code: int, reason: str = "") -> None:
        """Give back what was not used of the last second, and finish."""
        await self._seconds.end()
        self._let_go()
        await self._finish(code, reason)

    async def _unpaid(self) -> None:
        await self._finish(UNPAID)

    async def _finish(self, code: int, reason: str = "") -> None:
        """Send the receipt and close, once."""
        if self._open and not self._stopped:
            state = self._state()
            if "owed" in state:
                await self._tell(RECEIPT, receipt_members(state, "", self._clock()))
            with contextlib.suppress(AnswerStopped):
                await self._pass({"type": "websocket.close", "code": code, "reason": reason})
        self._stopped = True

    def _let_go(self) -> None:
        reserved, self._reserved = self._reserved, 0
        if reserved:
            self._metering.release(self._session, reserved)

    def _state(self) -> dict[str, str]:
        meter = self._metering.find(self._session)
        return {"session": self._session} if meter is None else current(meter)

    async def _tell(self, what: str, members: Mapping[str, Any]) -> None:
        with contextlib.suppress(AnswerStopped):
            await self._pass({"type": "websocket.send", "text": what + json.dumps(members)})

    async def _pass(self, message: Message) -> None:
        try:
            await self._send_on(message)
        except OSError:
            self._stopped = True
            raise AnswerStopped from None


def _refusal(message: Message) -> Message:
    """Pass on that an app opens no socket.

    Shape: nothing else, for it would be served uncounted; and who asks for money is the paywall.
    """
    status = int(message["status"])
    if status < 400:
        raise RuntimeError("a metered WebSocket is accepted, or refused with 400 or above")
    return {**message, "status": 403 if status == 402 else status, "headers": _kept(message)}


def _kept(message: Message) -> RawHeaders:
    """Leave out of an app's fields what only we say."""
    fields: RawHeaders = [(bytes(k).lower(), bytes(v)) for k, v in message.get("headers", ())]
    return [each for each in fields if not is_about_payment(*each) and each[0] not in _OURS]
