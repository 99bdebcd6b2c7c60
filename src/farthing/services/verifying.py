"""Verifying signatures off the event loop: what queued while a thread was busy goes next."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor

from farthing.errors import TooMuch, Unavailable
from farthing.keys import verify
from farthing.sharing import Line

Claim = tuple[Sequence[str], bytes, bytes]
"""Public keys to try, a signature, and the message."""

WAITING_MAX = 20_000
_AT_ONCE = 32


def first_match(claim: Claim) -> str:
    """Give the first of the keys that the signature verifies under, or nothing."""
    publics, signature, message = claim
    return next((public for public in publics if verify(public, signature, message)), "")


class Verifier:
    """Check many signatures side by side; PyNaCl lets go of the interpreter while it works."""

    def __init__(self, executor: Executor, workers: int = 2) -> None:
        self._executor, self._idle = executor, workers
        self._queue: Line[tuple[Claim, asyncio.Future[str]]] = Line(WAITING_MAX)
        self.good = self.bad = 0

    @property
    def waiting(self) -> int:
        """How many signatures wait for a thread."""
        return len(self._queue)

    async def match(
        self, publics: Sequence[str], signature: bytes, message: bytes, of: str = ""
    ) -> str:
        """Give the key that made the signature, or an empty text.

        Shape:  `of` names the line that it waits in; lines take turns.
        Raises: Unavailable, TooMuch; nothing was verified then.
        """
        heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        verdict = self._queue.put(of, [((publics, signature, message), heard)])
        if verdict == "full":
            raise Unavailable("too-busy", "too many signatures wait to be verified")
        if verdict:
            raise TooMuch("too-much-at-once", "too many signatures of this device are waiting")
        self._start()
        return await heard

    def _start(self) -> None:
        while self._idle and self._queue:
            some = self._queue.take(_AT_ONCE)
            self._idle -= 1
            running = asyncio.get_running_loop().run_in_executor(
                self._executor, _match_all, [claim for claim, _ in some]
            )
            running.add_done_callback(lambda done, some=some: self._finish(some, done))

    def _finish(
        self,
        some: Sequence[tuple[Claim, asyncio.Future[str]]],
        done: asyncio.Future[list[str]],
    ) -> None:
        self._idle += 1
        found = done.result()
        good = len(found) - found.count("")
        self.good += good
        self.bad += len(found) - good
        for (_, heard), matched in zip(some, found, strict=True):
            if not heard.done():
                heard.set_result(matched)
        self._start()


def _match_all(claims: Sequence[Claim]) -> list[str]:
    return [first_match(claim) for claim in claims]
