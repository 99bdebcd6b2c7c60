"""One run of a handler under a session: what it uses is counted on disk before it leaves.

An answer below 400 is counted at its head, its bytes or seconds as they go; what is not promised
is not sent: the answer waits for a voucher, and ends when none comes. An answer of 400 and above
costs nothing.
"""

import json
from typing import Any

from farthing.clock import Clock
from farthing.core.meters import Meter, current
from farthing.core.usage import Usage
from farthing.errors import FarthingError, Malformed, PaymentRefused
from farthing.log_lines import Log
from farthing.money import parse_units
from farthing.protocols.mpp_session import MppSessions, need_voucher_members, receipt_members
from farthing.protocols.x402_sessions import X402Sessions
from farthing.services.metering import Metering
from farthing.web.asgi import App, Message, RawHeaders, Receive, Scope, Send, raw_headers
from farthing.web.bought_seconds import BoughtSeconds
from farthing.web.caching import private
from farthing.web.paid_run import AnswerStopped, is_about_payment
from farthing.web.problems import HttpProblem, problem_answer, send_answer
from farthing.web.voucher_field import COUNT, SESSION, session_field

log = Log("paywall")

PIECE_BYTES = 64 * 1024
SCOPE_COUNT = "farthing.count"
"""Where a handler in this process finds the function by which it counts as it goes."""

_EVENT_ENDS = (b"\n\n", b"\r\n\r\n")


class MeteredRun:
    """Runs a handler for a session that has a reserve of its count set aside."""

    def __init__(
        self,
        metering: Metering,
        usage: Usage,
        session: str,
        language: MppSessions | X402Sessions,
        clock: Clock,
        *,
        challenge: str = "",
        wait_seconds: float = 60.0,
    ) -> None:
        self._metering, self._usage, self._session = metering, usage, session
        self._language, self._clock, self._challenge = language, clock, challenge
        self._wait_seconds = wait_seconds
        self._reserved = usage.reserve
        self._headers: RawHeaders = []
        self._status = 0
        self._counts, self._events = False, False
        self._boundary = True
        self._seconds = BoughtSeconds(metering, session, self._cover, self._stop)
        self._stopped = False
        self._ended = False

    async def __call__(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        """Run `app`; its answer goes to `send` as far as it is paid for."""
        self._client_send = send
        given = {**scope, SCOPE_COUNT: self.count} if self._usage.by == "handler" else scope
        fault: Exception | None = None
        try:
            await app(given, receive, self._send)
        except AnswerStopped:
            pass
        except Exception as problem:
            fault = problem
        finally:
            await self._settle()
        if not self._status and not self._stopped:
            if fault is not None:
                log.error("paywall.handler_failed", fault=fault)
            answer = problem_answer(HttpProblem(500, "handler-failed", ""))
            await send_answer(send, answer, head=scope["method"] == "HEAD")
        elif fault is not None:
            raise fault

    async def count(self, count: int) -> None:
        """Count what a handler is about to give; wait until it is promised.

        Raises: AnswerStopped when no voucher comes in time.
        """
        if count > 0:
            await self._buy(count)

    async def _settle(self) -> None:
        """Let go of what was reserved, and give back the rest of a second."""
        await self._seconds.end()
        if self._reserved:
            self._metering.release(self._session, self._reserved)
            self._reserved = 0

    async def _send(self, message: Message) -> None:
        if self._stopped:
            raise AnswerStopped
        if message["type"] == "http.response.start":
            await self._head(message)
        elif message["type"] == "http.response.body":
            await self._body(message)

    async def _head(self, message: Message) -> None:
        if self._status:
            raise RuntimeError("a handler answers once")
        status = int(message["status"])
        headers: RawHeaders = [(bytes(k).lower(), bytes(v)) for k, v in message.get("headers", [])]
        self._counts = 200 <= status < 400
        told = [value for name, value in headers if name == COUNT]
        hidden = (COUNT, SESSION.encode())
        kept = [each for each in headers if not is_about_payment(*each) and each[0] not in hidden]
        self._events = any(
            name == b"content-type" and value.lower().startswith(b"text/event-stream")
            for name, value in headers
        )
        if self._counts:
            await self._count_or_refuse(told)
        if status == 402:
            status = 403  # Who asks for money here is the paywall.
        if self._events:
            kept = [each for each in kept if each[0] != b"content-length"]
        self._status, self._headers = status, private(kept) + self._state(status)
        await self._pass(
            {"type": "http.response.start", "status": status, "headers": self._headers}
        )

    async def _count_or_refuse(self, told: list[bytes]) -> None:
        """Count what the head says, or hold the answer back: nothing is counted then."""
        try:
            await self._count_head(told)
        except PaymentRefused as problem:
            await self._refuse(HttpProblem(409, problem.code, problem.detail, **problem.more))
        except FarthingError as problem:
            log.error("paywall.not_counted", session=self._session, code=problem.code)
            await self._refuse(problem)

    async def _count_head(self, told: list[bytes]) -> None:
        by = self._usage.by
        if by == "request":
            await self._metering.use(self._session, 1, reserved=self._let_go())
        elif by == "second":
            await self._seconds.begin(self._let_go())
        elif by == "handler" and told:
            await self._count_told(told)

    async def _count_told(self, told: list[bytes]) -> None:
        try:
            count = parse_units(told[0].decode("latin-1"))
        except Malformed:
            log.error("paywall.count_not_read", session=self._session)
            count = self._usage.reserve
        self._metering.reserve(self._session, count, self._let_go())
        if count:
            await self._metering.use(self._session, count, reserved=count)

    async def _refuse(self, problem: FarthingError) -> None:
        self._stopped = True
        await send_answer(self._client_send, problem_answer(problem, [self._field()]))
        raise AnswerStopped

    def _let_go(self) -> int:
        reserved, self._reserved = self._reserved, 0
        return reserved

    async def _body(self, message: Message) -> None:
        part: bytes = message.get("body", b"")
        more: bool = message.get("more_body", False)
        if self._counts and self._usage.by == "byte":
            for start in range(0, len(part), PIECE_BYTES):
                await self._send_bytes(part[start : start + PIECE_BYTES])
            part = b""
        await self._seconds.wait()
        if self._stopped:
            raise AnswerStopped
        if part:
            await self._send_part(part)
        if not more:
            await self._finish()

    async def _send_bytes(self, piece: bytes) -> None:
        await self._buy(len(piece))
        await self._send_part(piece)

    async def _send_part(self, part: bytes) -> None:
        self._boundary = part.endswith(_EVENT_ENDS)
        await self._pass({"type": "http.response.body", "body": part, "more_body": True})

    async def _finish(self) -> None:
        """End the answer: the last count first, and in an event stream the receipt."""
        await self._settle()
        if self._events and self._counts:
            state = self._state_members()
            await self._event(
                "payment-receipt", receipt_members(state, self._challenge, self._clock())
            )
        self._ended = True
        await self._pass({"type": "http.response.body", "body": b"", "more_body": False})

    async def _stop(self) -> None:
        self._stopped = True

    async def _buy(self, count: int) -> None:
        """Count what comes next, as soon as it is promised.

        Raises: AnswerStopped when no voucher comes in time, or it cannot be counted.
        """
        await self._cover(count)
        try:
            await self._metering.use(self._session, count, reserved=count)
        except FarthingError as problem:
            log.error("paywall.not_counted", session=self._session, code=problem.code)
            self._stopped = True
            raise AnswerStopped from None

    async def _cover(self, count: int) -> None:
        """Set a count aside, as soon as it is promised.

        Raises: AnswerStopped when no voucher comes in time.
        """
        try:
            self._metering.reserve(self._session, count, self._let_go())
        except FarthingError as problem:
            await self._need_voucher(problem)
            if not await self._metering.wait_covered(self._session, count, self._wait_seconds):
                self._stopped = True
                raise AnswerStopped from None

    async def _need_voucher(self, problem: FarthingError) -> None:
        if problem.code != "voucher-needed":
            self._stopped = True
            raise AnswerStopped
        if self._events and self._status and self._boundary:
            told = need_voucher_members(self._state_members(), problem.more["needed"])
            await self._event("payment-need-voucher", told)

    async def _event(self, name: str, members: dict[str, Any]) -> None:
        body = f"event: {name}\ndata: {json.dumps(members)}\n\n".encode()
        await self._pass({"type": "http.response.body", "body": body, "more_body": True})

    async def _pass(self, message: Message) -> None:
        try:
            await self._client_send(message)
        except OSError:
            self._stopped = True
            raise AnswerStopped from None

    def _state_members(self) -> dict[str, str]:
        meter = self._metering.find(self._session)
        return current(meter) if isinstance(meter, Meter) else {"session": self._session}

    def _field(self) -> tuple[str, str]:
        return session_field(self._state_members())

    def _state(self, status: int) -> RawHeaders:
        state = self._state_members()
        told = [session_field(state)]
        if 200 <= status < 300 and "owed" in state:
            told += self._language.receipt(state, self._challenge, self._clock())
        return raw_headers(told)
