"""Requests to metered routes that are sent again under one key: answered again, not counted again.

Answers are kept in memory, so after a restart a repetition is another request.

Source: the session intents of MPP, "Request Idempotency".
"""

import asyncio
from collections import OrderedDict

from farthing.errors import Conflict
from farthing.web.answers import ANSWER_BYTES_MAX, Answers, Run
from farthing.web.asgi import Message, RawHeaders, Send
from farthing.web.problems import Answer

_KEPT = 10_000


class Repeats:
    """What was answered under the keys of sessions. Shape: a name is a session and its key."""

    def __init__(self, answers: Answers, wait_seconds: float) -> None:
        self._answers, self._wait_seconds = answers, wait_seconds
        self._runs: dict[str, Run] = {}
        self._served: OrderedDict[str, str] = OrderedDict()

    async def answer(self, name: str, resource: str) -> Answer | None:
        """Give what was answered before, after the run that is under way; None if nothing was.

        Raises: Conflict `idempotency-key-reused`, `payment-in-progress`, `already-paid`.
        """
        while (run := self._runs.get(name)) is not None:
            _require_same(run.request[0], resource)
            try:
                async with asyncio.timeout(self._wait_seconds):
                    await asyncio.shield(run.over)
            except TimeoutError:
                raise Conflict("payment-in-progress", "this is being answered now") from None
        if name not in self._served:
            return None
        _require_same(self._served[name], resource)
        kept = self._answers.find(name, (resource, ""))
        if kept is None:
            raise Conflict("already-paid", "this was served; its answer is no longer kept")
        return kept

    def begin(self, name: str, resource: str, send: Send) -> "Recording":
        """Record what is answered from now on; nobody else runs under this name meanwhile."""
        run = self._runs[name] = Run((resource, ""))
        return Recording(self, name, run, send)

    def end(self, name: str, run: Run, answer: Answer | None, *, served: bool) -> None:
        """Keep what was answered, and let go of those who wait."""
        if served:
            self._served[name] = run.request[0]
            if answer is not None:
                self._answers.keep(name, run.request, answer)
        while len(self._served) > _KEPT:
            self._served.popitem(last=False)
        del self._runs[name]
        run.end(answer)


class Recording:
    """Passes an answer on, and keeps it if it is whole and not too long."""

    def __init__(self, repeats: Repeats, name: str, run: Run, send: Send) -> None:
        self._repeats, self._name, self._run, self._send = repeats, name, run, send
        self._status = 0
        self._headers: RawHeaders = []
        self._body: bytearray | None = bytearray()
        self._whole = False

    async def __call__(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], list(message["headers"])
        elif self._body is not None:
            part: bytes = message.get("body", b"")
            long = len(self._body) + len(part) > ANSWER_BYTES_MAX
            self._body = None if long else self._body + part
            self._whole = not message.get("more_body", False)
        await self._send(message)

    def end(self) -> None:
        """Say that the run is over. Shape: an answer that cost nothing may be asked for anew."""
        answer = None
        if self._whole and self._body is not None:
            answer = Answer(self._status, self._headers, bytes(self._body))
        served = 200 <= self._status < 400
        self._repeats.end(self._name, self._run, answer, served=served)


def _require_same(before: str, resource: str) -> None:
    if before != resource:
        raise Conflict("idempotency-key-reused", "this key was used with another request")
