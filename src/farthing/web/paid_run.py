"""One run of a handler for one payment: its response head decides about the money.

Below 400 the payment is captured, durably, and only then does the head leave with the receipt.
At 400 and above, or without a head, the money goes back. A client that hangs up changes nothing:
the handler runs to its end, so nobody reads for free by hanging up, and a retry gets its answer.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from farthing.core.prices import Offer
from farthing.errors import FarthingError, Unavailable
from farthing.log_lines import Log
from farthing.protocols.base import Language
from farthing.services.hub import Authorisation, Hub
from farthing.web import settlement
from farthing.web.answers import ANSWER_BYTES_MAX, Run
from farthing.web.asgi import App, Message, RawHeaders, Receive, Scope, Send, raw_headers
from farthing.web.caching import private
from farthing.web.problems import Answer, HttpProblem, problem_answer, send_answer

log = Log("paywall")

ANSWER_SECONDS = 60.0
GONE_SECONDS = 30.0
"""How long a handler may go on for a client that is gone, so that its retry finds the answer."""

_OURS_TO_SAY = frozenset({b"payment-receipt", b"payment-response", b"payment-required"})
_PAYMENT_CHALLENGE = re.compile(rb"(?:^|,)[ \t]*payment(?:[ \t,]|$)", re.IGNORECASE)


def is_about_payment(name: bytes, value: bytes) -> bool:
    """Tell whether a field of a handler's answer speaks of payment: here nobody else may."""
    if name == b"www-authenticate":
        return _PAYMENT_CHALLENGE.search(value) is not None
    return name in _OURS_TO_SAY


class AnswerStopped(OSError):
    """Tells a handler that nobody will get the rest of its answer."""


class PaidRun:
    """Runs a handler under a payment.

    Shape: `free` is for a device that pays nothing: its hold is released at the head. `again` is
           for one more run of a payment already captured: no money moves.
    """

    def __init__(
        self,
        hub: Hub,
        language: Language,
        offer: Offer,
        paid: Authorisation,
        run: Run,
        *,
        free: bool = False,
        again: bool = False,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._hub = hub
        self._language = language
        self._offer = offer
        self._paid = paid
        self._run = run
        self._free = free
        self._again = again
        self._answer_seconds = answer_seconds
        self._deadline = asyncio.timeout(answer_seconds)
        self._deciding: asyncio.Task[None] | None = None
        self._status = 0
        self._headers: RawHeaders = []
        self._body: bytearray | None = bytearray()
        self._refused: Answer | None = None
        self._complete = False
        self._announced: int | None = None
        self._sent = 0
        self._bodyless = False
        self._unkept = asyncio.Event()
        self._client_gone = False

    async def __call__(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        """Run `app`, decide about the money at its head, and pass its answer on."""
        self._client_send = send
        self._bodyless = scope.get("method") == "HEAD"
        fault: BaseException | None = None
        try:
            async with self._deadline:
                await app(scope, self._receiving(receive), self._send)
        except AnswerStopped:
            pass
        except Exception as problem:
            fault = problem
        if self._deciding is not None:
            await self._deciding
        await self._end(fault)

    async def _end(self, fault: BaseException | None) -> None:
        if self._refused is not None:
            self._finish(None)
            return
        if not self._status:
            await self._no_head(fault)
            return
        if self._complete:
            if fault is not None:
                log.error("paywall.handler_failed_late", fault=fault)
            self._finish(self._whole())
            return
        await self._broken(fault)
        self._finish(None)
        if fault is not None:
            raise fault

    async def _no_head(self, fault: BaseException | None) -> None:
        problem = HttpProblem(500, "handler-failed", "")
        if isinstance(fault, TimeoutError) and self._deadline.expired():
            problem = HttpProblem(
                504,
                "answer-too-late",
                f"there was no answer within {self._answer_seconds:g} seconds; nothing was taken",
            )
        elif fault is not None:
            log.error("paywall.handler_failed", fault=fault)
        await self._unpay("no-answer")
        answer = problem_answer(problem)
        self._finish(answer)
        await self._pass_answer(answer)

    async def _broken(self, fault: BaseException | None) -> None:
        if self._status < 400 and not self._free and not self._again:
            reason = type(fault).__name__ if fault is not None else "answer-not-complete"
            await settlement.broke_off(
                self._hub, self._paid.payment, reason, refund=self._offer.on_broken == "refund"
            )

    def _finish(self, answer: Answer | None) -> None:
        self._run.end(answer)
        self._unkept.set()

    def _whole(self) -> Answer | None:
        if self._body is None:
            return None
        return Answer(self._status, self._headers, bytes(self._body))

    async def _send(self, message: Message) -> None:
        if self._refused is not None:
            raise AnswerStopped
        if message["type"] == "http.response.start":
            await self._head(message)
        elif message["type"] == "http.response.body":
            await self._chunk(message)

    async def _head(self, message: Message) -> None:
        if self._deciding is not None:
            raise RuntimeError("a handler answers once")
        self._deadline.reschedule(None)
        # A handler that is cancelled in this moment must not leave the money undecided.
        self._deciding = asyncio.create_task(self._decide(message))
        await asyncio.shield(self._deciding)
        if self._refused is not None:
            raise AnswerStopped
        await self._pass(
            {"type": "http.response.start", "status": self._status, "headers": self._headers}
        )

    async def _decide(self, message: Message) -> None:
        status: int = message["status"]
        headers: RawHeaders = [
            (bytes(name).lower(), bytes(value)) for name, value in message.get("headers", [])
        ]
        kept = private([field for field in headers if not is_about_payment(*field)])
        if status != 101 and not 200 <= status < 400:
            await self._unpay("handler-refused")
            if status == 402 and all(name != b"www-authenticate" for name, _ in kept):
                status = 403  # A 402 without a challenge asks for nothing that can be paid.
            self._status, self._headers = status, kept
        elif (receipt := await self._pay()) is not None:
            self._status, self._headers = status, kept + self._proof(receipt, status)
        self._bodyless |= status in (204, 304)
        self._look_ahead()

    async def _pay(self) -> Mapping[str, Any] | None:
        """Take the money; give the receipt, an empty one for the free, or None when it failed."""
        if self._free:
            await settlement.release(self._hub, self._paid.payment, "free-for-device")
            return {}
        paid = self._paid
        try:
            if paid.state != "captured":
                paid = await settlement.capture(self._hub, paid.payment)
        except Exception as problem:
            code = problem.code if isinstance(problem, FarthingError) else type(problem).__name__
            log.error("paywall.capture_failed", payment=paid.payment, code=code)
            await self._refuse()
            return None
        if paid.state != "captured":
            log.error("paywall.capture_failed", payment=paid.payment, state=paid.state)
            await self._refuse()
            return None
        return paid.receipt or {}

    def _proof(self, receipt: Mapping[str, Any], status: int) -> RawHeaders:
        if not receipt:
            return []
        try:
            written = raw_headers(list(self._language.receipt(receipt)))
        except Exception as fault:
            # What is paid is served: the receipt can be fetched from the hub as well.
            log.error("paywall.receipt_not_written", payment=self._paid.payment, fault=fault)
            return []
        # MPP has receipts on 2xx alone; after a redirect the hub is asked for it.
        return [field for field in written if status < 300 or field[0] != b"payment-receipt"]

    async def _refuse(self) -> None:
        """Answer 503 with nothing of the handler's answer, and let go of the money."""
        await settlement.release(self._hub, self._paid.payment, "capture-failed")
        shown = Unavailable(
            "capture-failed",
            "the payment could not be taken, so nothing is served; look it up, then try again",
            payment=self._paid.payment,
        )
        self._refused = problem_answer(shown)
        await self._pass_answer(self._refused)

    async def _unpay(self, reason: str) -> None:
        if self._again:
            return
        if self._paid.state == "captured":
            await settlement.give_back(self._hub, self._paid.payment, reason)
        else:
            await settlement.release(self._hub, self._paid.payment, reason)

    def _look_ahead(self) -> None:
        """Tell from the head whether this answer can be kept for a retry; a socket cannot."""
        if self._status == 101:
            self._let_go()
        for name, value in self._headers:
            if name == b"content-type" and value.lower().startswith(b"text/event-stream"):
                self._let_go()
            if name == b"content-length" and value.isdigit():
                self._announced = int(value)
                if self._announced > ANSWER_BYTES_MAX:
                    self._let_go()

    def _let_go(self) -> None:
        self._body = None
        self._finish(None)

    async def _chunk(self, message: Message) -> None:
        part: bytes = message.get("body", b"")
        self._sent += len(part)
        if self._body is not None:
            self._body += part
            if len(self._body) > ANSWER_BYTES_MAX:
                self._let_go()
        if not message.get("more_body", False):
            short = not self._bodyless and self._announced not in (None, self._sent)
            self._complete = not short
            if self._complete and self._body is not None:
                self._finish(self._whole())
        await self._pass(message)

    async def _pass_answer(self, answer: Answer) -> None:
        await send_answer(self._pass, answer, head=self._bodyless)

    async def _pass(self, message: Message) -> None:
        """Pass a message to the client, and go on without it when it is gone."""
        if not self._client_gone:
            try:
                await self._client_send(message)
            except OSError:
                self._client_gone = True
        if self._client_gone and self._unkept.is_set():
            raise AnswerStopped

    def _receiving(self, receive: Receive) -> Receive:
        """Give the request on, and word of a hang-up only when nobody could use the answer."""

        whole = False

        async def guarded() -> Message:
            nonlocal whole
            message = await receive()
            if message["type"] == "http.request":
                whole = not message.get("more_body", False)
            elif whole:
                await self._until_unkept()
            return message

        return guarded

    async def _until_unkept(self) -> None:
        if not self._unkept.is_set() and self._deciding is None:
            # Before the head the handler runs on, bounded by its own deadline.
            await self._unkept_or(self._answer_seconds)
        await self._unkept_or(GONE_SECONDS)

    async def _unkept_or(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._unkept.wait()
        except TimeoutError:
            return
