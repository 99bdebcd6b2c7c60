"""Answering a plain request at once: no parser, no ASGI messages, one write.

A small payment comes as one piece of bytes, head and body together, over and over on a connection
that stays open. Parsing it field by field and passing it through ASGI costs more than reading the
order. So where a request is plain (`plain_head`), came whole, and is for an endpoint that anybody
may ask, it is answered here, byte for byte as it would be there. All else goes the usual way.
"""

import asyncio
from typing import Any, ClassVar, Protocol, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from farthing.errors import ensure
from farthing.web.corked import Corked
from farthing.web.guard import Guard
from farthing.web.plain_head import HEAD_BYTES_MAX, PlainHead, plain_head
from farthing.web.problems import Answer
from farthing.web.strict_http import FIELD_COST, FREE_BYTES, StrictHttp


class Quick(Protocol):
    """What can answer plain requests without ASGI."""

    def takes(self, path: str, length: int) -> bool:
        """Tell whether a request to this path, with a body of that length, is answered here."""
        ...

    async def answer(self, head: PlainHead, body: bytes, client: Any) -> Answer:
        """Answer it, whatever goes wrong."""
        ...


class QuickHttp(StrictHttp):
    """Strict HTTP, with a short way for plain requests. Shape: `quick` answers them."""

    quick: ClassVar[Quick]

    def data_received(self, data: bytes) -> None:
        """Answer a plain request that came whole; let anything else be parsed."""
        if self._is_between():
            end = data.find(b"\r\n\r\n", 0, HEAD_BYTES_MAX)
            head = plain_head(data[:end]) if end > 0 else None
            if head is not None and self._is_free(head, len(data) - end - 4):
                self._begin(head, data[end + 4 :])
                return
        super().data_received(data)

    def _is_between(self) -> bool:
        """Tell whether nothing of a request has come since the last one was answered."""
        return not (
            self.serves
            or self._in_head
            or self._body_since is not None
            or self._over
            or self.parser is None
            or self.flow.write_paused
        )

    def _is_free(self, head: PlainHead, came: int) -> bool:
        """Tell whether it is whole, and costs no more memory than any connection has free."""
        return (
            came == head.length
            and HEAD_BYTES_MAX + len(head.fields) * FIELD_COST + came <= FREE_BYTES
            and self.quick.takes(head.path, came)
            and not (self._most is not None and self._crowded(self._most))
        )

    def _begin(self, head: PlainHead, body: bytes) -> None:
        self._idle_since = self._head_since = None
        self._untold = 0
        cycle = QuickCycle()
        self.cycle = cast(Any, cycle)
        task = self.loop.create_task(self._run(cycle, head, body))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _run(self, cycle: "QuickCycle", head: PlainHead, body: bytes) -> None:
        try:
            self._say(cycle, await self.quick.answer(head, body, self.client))
        except BaseException:  # As when the server stops before it has an answer.
            self.transport.close()
            raise

    def _say(self, cycle: "QuickCycle", answer: Answer) -> None:
        if cycle.disconnected:
            return
        fields = [b"%b: %b\r\n" % f for f in (*self.server_state.default_headers, *answer.headers)]
        if not cycle.keep_alive:
            fields.append(b"connection: close\r\n")
        head = b"".join([STATUS_LINE[answer.status], *fields, b"\r\n"])
        ensure(head.count(b"\n") == len(fields) + 2, "a header field is one line")
        cycle.response_started = cycle.response_complete = True
        cast(Corked, self.transport).write_whole(head + answer.body)
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()


class QuickCycle:
    """A request that is answered the short way, as the connection sees it: it came whole."""

    disconnected = response_started = response_complete = waiting_for_100_continue = False
    keep_alive = True
    message_event = asyncio.Event()
    """Nobody waits for more of it."""

    body: Any = b""
    scope: Any = None


def quickly(guard: Guard, quick: Quick) -> type[QuickHttp]:
    """Give the protocol of a server whose connections share these bounds and this short way."""
    return type("GuardedQuickHttp", (QuickHttp,), {"guard": guard, "quick": quick})
