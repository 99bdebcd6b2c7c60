"""Vouchers over a WebSocket: one message each, answered in the order in which they came.

What came while a commit was under way is drawn by the next one, so a payee that streams vouchers
does not wait for each. An answer is sent when its voucher is on disk, as over HTTP.

Source: RFC 6455; docs/reference/sessions.md, "Over a WebSocket".
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from farthing.codec import from_base64url, read_json
from farthing.core.owners import Principal, Scope
from farthing.core.sessions import Session
from farthing.errors import FarthingError, Forbidden, InvariantBroken, Malformed
from farthing.misfits import misfit
from farthing.services.desk import Desk
from farthing.services.proving import Presented
from farthing.web.api import bodies, session_answers
from farthing.web.api.rates import Rates
from farthing.web.api.sessions import one_of_many
from farthing.web.asgi import Receive, Send
from farthing.web.asgi import Scope as AsgiScope

PATH = "/v1/vouchers"
IN_FLIGHT_MAX = 1000
"""Vouchers of one socket that are read and not yet answered; no more are read meanwhile."""

MESSAGE_BYTES_MAX = 4096
IDLE_SECONDS = 300.0
_BUSY_SECONDS = 0.5
GOING_AWAY, NOT_TEXT, POLICY, BROKEN, IDLE = 1001, 1003, 1008, 1011, 4000


class Came(NamedTuple):
    """A message, read: what is presented, or why it could not be read."""

    presented: Presented | None
    late: bool
    problem: FarthingError | None


class VoucherSocket:
    """One socket. Shape: `principal` is whose key opened it, which only late vouchers need."""

    def __init__(
        self,
        desk: Desk,
        rates: Rates,
        scope: AsgiScope,
        principal: Principal | None,
        *,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._desk, self._rates, self._scope = desk, rates, scope
        self._principal, self._idle_seconds = principal, idle_seconds
        self._waiting: asyncio.Queue[Came | None] = asyncio.Queue(IN_FLIGHT_MAX)
        self._code, self._answering = 1000, True

    async def __call__(self, receive: Receive, send: Send) -> None:
        """Accept the socket and answer what comes, until it is closed, idle, or the hub stops."""
        await send({"type": "websocket.accept"})
        reading = asyncio.create_task(self._read(receive))
        try:
            await self._answer(send)
            with contextlib.suppress(OSError):
                await send({"type": "websocket.close", "code": self._code})
        except OSError:
            return  # It was cut off: what was drawn stays drawn.
        finally:
            self._answering = False
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, receive: Receive) -> None:
        """Read messages while there is room for them; None is the last."""
        try:
            while not self._desk.closing:
                async with asyncio.timeout(self._idle_seconds):
                    message = await receive()
                if message["type"] != "websocket.receive":
                    break
                text = message.get("text")
                if text is None:
                    self._code = NOT_TEXT
                    break
                await self._waiting.put(self._came(text))
            else:
                self._code = GOING_AWAY
        except TimeoutError:
            self._code = IDLE
        finally:
            if self._answering:  # Else nobody would ever make room for it.
                await self._waiting.put(None)

    def _came(self, text: str) -> Came:
        try:
            body = read_message(text)
            if body.late and (self._principal is None or not self._principal.may(Scope.SELLER)):
                raise Forbidden("scope-missing", "late vouchers are handed in with a seller's key")
            presented = Presented(
                body.session, from_base64url(body.voucher), from_base64url(body.tick)
            )
        except FarthingError as problem:
            return Came(None, late=False, problem=problem)
        return Came(presented, body.late, None)

    async def _answer(self, send: Send) -> None:
        while True:
            first = await self._waiting.get()
            turn: list[Came | None] = [first]
            while first is not None and not self._waiting.empty():
                turn.append(self._waiting.get_nowait())
                if turn[-1] is None:
                    break
            came = [each for each in turn if each is not None]
            for told in await self._drawn(came):
                await send({"type": "websocket.send", "text": msgspec.json.encode(told).decode()})
            if turn[-1] is None or self._code == POLICY:
                return

    async def _drawn(self, came: Sequence[Came]) -> list[session_answers.DrawnItem]:
        """Draw what can be drawn, the new and the late; give every answer in order."""
        if not came:
            return []
        bearer = await self._bearer()
        found: list[Session | FarthingError] = [
            each.problem or InvariantBroken("internal-error") for each in came
        ]
        for late in (False, True):
            places = [i for i, each in enumerate(came) if each.presented and each.late is late]
            for place, answer in zip(
                places,
                await self._draw([came[i].presented for i in places], bearer, late=late),
                strict=True,
            ):
                found[place] = answer
        return [self._told(each) for each in found]

    async def _draw(
        self, presented: Sequence[Any], bearer: str, *, late: bool
    ) -> list[Session | FarthingError]:
        if not presented:
            return []
        by = self._principal.sees if late and self._principal is not None else None
        try:
            return await self._desk.sessions.draw_many(presented, by, late=late, bearer=bearer)
        except FarthingError as problem:
            return [problem] * len(presented)

    async def _bearer(self) -> str:
        """Count one request for a turn; who asks too often waits, and sends no more meanwhile."""
        while True:
            try:
                return self._rates.take(self._scope, self._principal)
            except FarthingError:
                await asyncio.sleep(_BUSY_SECONDS)

    def _told(self, drawn: Session | FarthingError) -> session_answers.DrawnItem:
        if isinstance(drawn, FarthingError):
            counted = self._rates.counted(self._scope, drawn)
            if counted is not drawn:
                self._code = POLICY
            drawn = counted
        return one_of_many(drawn)


def read_message(text: str) -> bodies.SocketVoucherBody:
    """Read one message strictly: a session, its voucher, and maybe that it comes late.

    Raises: Malformed.
    """
    if len(text) > MESSAGE_BYTES_MAX:
        raise Malformed("invalid-body", f"a message has {MESSAGE_BYTES_MAX} bytes at most")
    value = read_json(text)
    try:
        return msgspec.convert(value, bodies.SocketVoucherBody, strict=True)
    except msgspec.ValidationError as fault:
        raise Malformed("invalid-body", str(misfit(bodies.SocketVoucherBody, fault))) from None
