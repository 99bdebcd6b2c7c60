"""Vouchers to the hub over one WebSocket: many under way, each answered in its turn.

    async with VoucherLine("https://hub.example") as line:
        state = await line.draw(session, voucher)

Source: RFC 6455; docs/reference/sessions.md, "Over a WebSocket".
"""

import asyncio
import contextlib
import json
import ssl
from collections import deque
from typing import Any, Self, cast

import httpx
from wsproto import ConnectionType, WSConnection, events
from wsproto.utilities import LocalProtocolError, ProtocolError

from farthing.codec import read_json, to_base64url
from farthing.device.hub_calls import check_private
from farthing.errors import FarthingError, Malformed, OutcomeUnknown, Unavailable
from farthing.money import parse_units

PATH = "/v1/vouchers"
UNDER_WAY_MAX = 500
ANSWER_CHARACTERS_MAX = 64 * 1024
_READ_BYTES = 64 * 1024
_SECONDS, _ANSWER_SECONDS = 20.0, 60.0


class Refused(FarthingError):
    """A voucher was refused; `more` says how its session stands."""

    status, title = 422, "The voucher was refused"


class VoucherLine:
    """One socket to a hub. Shape: `key` is a seller's API key, which only late vouchers need."""

    def __init__(
        self,
        hub_url: str,
        key: str = "",
        *,
        plain_http: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._url, self._key, self._tls = httpx.URL(hub_url), key, tls
        check_private(self._url, plain_http=plain_http)
        self._wire = WSConnection(ConnectionType.CLIENT)
        self._asked: deque[asyncio.Future[dict[str, Any]]] = deque()
        self._room = asyncio.Semaphore(UNDER_WAY_MAX)
        self._opened: asyncio.Future[None] | None = None
        self._text = ""
        self._over = False

    async def __aenter__(self) -> Self:
        """Open the socket.

        Raises: Unavailable when the hub does not open one.
        """
        secure = self._url.scheme == "https"
        port = self._url.port or (443 if secure else 80)
        try:
            async with asyncio.timeout(_SECONDS):
                self._reader, self._writer = await asyncio.open_connection(
                    self._url.host, port, ssl=(self._tls or True) if secure else None
                )
                await self._begin()
        except (OSError, TimeoutError):
            raise _unopened() from None
        return self

    async def _begin(self) -> None:
        self._opened = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read())
        try:
            self._send(self._request())
            await self._opened
        except BaseException:
            await self._close()
            raise

    async def __aexit__(self, *_fault: object) -> None:
        """Close it; what is under way is not waited for."""
        with contextlib.suppress(LocalProtocolError, OSError):
            self._send(events.CloseConnection(code=1000))
        await self._close()

    async def _close(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self._end()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def draw(self, session: str, voucher: bytes, *, late: bool = False) -> dict[str, Any]:
        """Hand a voucher in; give how its session stands, when it is on the hub's disk.

        Raises: Refused with the hub's code; OutcomeUnknown when the socket was lost: send it again.
        """
        body = {"session": session, "voucher": to_base64url(voucher), "late": late}
        async with self._room:
            if self._over:
                raise _lost()
            asked: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
            self._asked.append(asked)
            self._send(events.TextMessage(data=json.dumps(body)))
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await self._writer.drain()
                    told = await asked
            except (OSError, TimeoutError):
                raise _lost() from None
        drawn, problem = told.get("drawn"), told.get("problem")
        if isinstance(drawn, dict):
            state = cast(dict[str, Any], drawn)
            parse_units(str(state.get("promised")))
            return state
        if not isinstance(problem, dict):
            raise _lost()
        more = cast(dict[str, Any], problem)
        raise Refused(str(more.get("code")), str(more.get("detail", "")), **_state(more))

    def _request(self) -> events.Request:
        fields = [(b"authorization", f"Bearer {self._key}".encode())] if self._key else []
        host = self._url.netloc.decode()
        return events.Request(host=host, target=PATH, extra_headers=fields)

    def _send(self, event: Any) -> None:
        self._writer.write(self._wire.send(event))

    async def _read(self) -> None:
        try:
            while not self._over:
                data = await self._reader.read(_READ_BYTES)
                if not data:
                    break
                self._wire.receive_data(data)
                for event in self._wire.events():
                    self._take(event)
        except (OSError, Malformed, ProtocolError):
            pass
        finally:
            self._end()

    def _take(self, event: Any) -> None:
        """Take what came. Raises: Malformed for an answer that is none."""
        if isinstance(event, events.AcceptConnection) and self._opened is not None:
            self._opened.set_result(None)
        elif isinstance(event, events.RejectConnection) and self._opened is not None:
            self._over = True
            self._opened.set_exception(_unopened(f": it answers {event.status_code}"))
        elif isinstance(event, events.Ping):
            self._send(event.response())
        elif isinstance(event, events.CloseConnection):
            self._over = True
        elif isinstance(event, events.TextMessage):
            self._text += event.data
            if len(self._text) > ANSWER_CHARACTERS_MAX:
                raise Malformed("malformed-answer", "the answer is too long")
            if event.message_finished:
                told, self._text = read_json(self._text), ""
                self._answer(told)

    def _answer(self, told: Any) -> None:
        if not isinstance(told, dict) or not self._asked:
            raise Malformed("malformed-answer", "nothing was asked that this answers")
        asked = self._asked.popleft()
        if not asked.done():
            asked.set_result(cast(dict[str, Any], told))

    def _end(self) -> None:
        self._over = True
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(_unopened())
        while self._asked:
            asked = self._asked.popleft()
            if not asked.done():
                asked.set_exception(_lost())


def _state(problem: dict[str, Any]) -> dict[str, Any]:
    known = ("session", "state", "deposit", "promised", "sequence", "ticks")
    return {name: problem[name] for name in known if name in problem}


def _unopened(why: str = "") -> Unavailable:
    return Unavailable("hub-unreachable", f"the hub opens no socket{why}")


def _lost() -> OutcomeUnknown:
    return OutcomeUnknown("answer-lost", "the socket was lost; send the same voucher again")
