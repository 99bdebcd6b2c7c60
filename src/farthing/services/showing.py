"""Whether a pushed notice was shown: a push service takes what no browser may ever see.

A browser that shows a notice says so, by a ticket that came with it. An ask that nobody shows goes
to its reader's next way while there is time to answer it.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable

from farthing.clock import NS
from farthing.codec import to_base64url
from farthing.core.telling import NOTICE_TRIES, NoteShown, shown_id
from farthing.errors import Forbidden
from farthing.log_lines import Log
from farthing.services.context import Context
from farthing.store.queries import one

log = Log("notices")

SHOWN_SECONDS = 30.0
"""How long a browser has to show an ask, where its deadline leaves that much."""

_SHARE = 3
"""At most this part of the time to answer is waited."""
_MARK = 16


class Showing:
    """Tickets by which browsers say what they have shown, and who waits for that.

    Shape: `secret` is read when a ticket is first written.
    """

    def __init__(self, ctx: Context, secret: Callable[[], bytes]) -> None:
        self._ctx, self._secret = ctx, secret
        self._waiting: set[asyncio.Task[None]] = set()

    def ticket(self, notice: str) -> str:
        """Write what lets a browser say that it has shown a notice, and nothing else."""
        return f"{notice}.{self._mark(notice)}"

    async def note(self, ticket: str) -> None:
        """Note that a notice was shown. Again is no harm.

        Raises: Forbidden `bad-ticket`.
        """
        notice, _, mark = ticket.rpartition(".")
        if not hmac.compare_digest(mark.encode(), self._mark(notice).encode()):
            raise Forbidden("bad-ticket", "this notice is not one of this hub's")
        await self._ctx.books.commit_one(NoteShown(notice))

    def unless_shown(
        self, notice: str, pushed_ns: int, ends_ns: int, then: Callable[[], Awaitable[None]]
    ) -> None:
        """Do something in a while where no browser has shown a notice by then.

        Units: it was pushed and is to be answered at these Unix ns.
        Shape: who waits here is forgotten with this process; the push itself stands among the
               tries, where whoever tells next finds it.
        """
        patience = min(SHOWN_SECONDS, (ends_ns - pushed_ns) / NS / _SHARE)
        left = max(0.0, patience - (self._ctx.clock() - pushed_ns) / NS)
        task = asyncio.create_task(self._later(notice, left, then))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def stop(self) -> None:
        """Wait for nobody any more."""
        for task in list(self._waiting):
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)

    async def _later(
        self, notice: str, seconds: float, then: Callable[[], Awaitable[None]]
    ) -> None:
        await asyncio.sleep(seconds)
        try:
            ident = shown_id(notice)
            found = await self._ctx.database.read(lambda tx: one(tx, NOTICE_TRIES, ident))
            if found is None:
                await then()
        except Exception as fault:
            log.error("notices.failed", fault=fault)

    def _mark(self, notice: str) -> str:
        content = f"farthing-shown-1\n{notice}".encode()
        return to_base64url(hmac.digest(self._secret(), content, "sha256")[:_MARK])
