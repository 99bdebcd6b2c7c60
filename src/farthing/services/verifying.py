"""Verifying signatures side by side: what queued while a thread was busy goes next.

A thread's help costs the event loop about as much as a signature, for the two take turns with
Python's interpreter. So a lone one is verified at once where the event loop has it to itself.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

from farthing.errors import FarthingError, TooMuch, Unavailable
from farthing.keys import verify
from farthing.sharing import Line
from farthing.threads import Threads

Claim = tuple[Sequence[str], bytes, bytes]
"""Public keys to try, a signature, and the message."""

WAITING_MAX = 20_000
_AT_ONCE = 32


def first_match(claim: Claim) -> str:
    """Give the first of the keys that the signature verifies under, or nothing."""
    publics, signature, message = claim
    return next((public for public in publics if verify(public, signature, message)), "")


class Asked:
    """Signatures that were asked about together, and the future that hears when all are known."""

    __slots__ = ("found", "heard", "left")

    def __init__(self, count: int) -> None:
        self.found: list[str | FarthingError] = [""] * count
        self.left = count
        self.heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tell(self, place: int, matched: str | FarthingError) -> None:
        """Say what became of one of them."""
        self.found[place] = matched
        self.left -= 1
        if not self.left and not self.heard.done():
            self.heard.set_result(None)


class Verifier:
    """Check many signatures side by side; PyNaCl lets go of the interpreter while it works.

    Shape: `shared` tells that another thread has work for the interpreter now.
    """

    def __init__(
        self, threads: Threads, shared: Callable[[], bool] = lambda: True, workers: int = 2
    ) -> None:
        self._threads, self._shared, self._idle = threads, shared, workers
        self._queue: Line[tuple[Claim, Asked, int]] = Line(WAITING_MAX)
        self._starting = False
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
        claim = (publics, signature, message)
        if not (self._queue or self._shared()):
            return self._count(first_match(claim))
        asked = Asked(1)
        verdict = self._queue.put(of, ((claim, asked, 0),))
        if verdict:
            raise _no_room(verdict)
        self._soon()
        await asked.heard
        return cast(str, asked.found[0])

    async def match_each(self, claims: Sequence[tuple[str, Claim]]) -> list[str | FarthingError]:
        """Give for each signature the key that made it, an empty text, or why it had no room.

        Shape: each comes with the line that it waits in; one that finds no room harms no other.
        """
        if not claims:
            return []
        asked = Asked(len(claims))
        for place, (of, claim) in enumerate(claims):
            verdict = self._queue.put(of, ((claim, asked, place),))
            if verdict:
                asked.tell(place, _no_room(verdict))
        self._soon()
        await asked.heard
        return asked.found

    def _soon(self) -> None:
        """Start when this turn of the event loop is over: the threads share what came in it."""
        if self._idle and not self._starting:
            self._starting = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        self._starting = False
        while self._idle and self._queue:
            share = -(-len(self._queue) // self._idle)
            some = self._queue.take(min(share, _AT_ONCE))
            self._idle -= 1
            running = self._threads.run(_match_all, [claim for claim, _, _ in some])
            running.add_done_callback(lambda done, some=some: self._finish(some, done))

    def _finish(
        self,
        some: Sequence[tuple[Claim, Asked, int]],
        done: asyncio.Future[list[str]],
    ) -> None:
        self._idle += 1
        for (_, asked, place), matched in zip(some, done.result(), strict=True):
            asked.tell(place, self._count(matched))
        self._start()

    def _count(self, matched: str) -> str:
        if matched:
            self.good += 1
        else:
            self.bad += 1
        return matched


def _no_room(verdict: str) -> FarthingError:
    if verdict == "full":
        return Unavailable("too-busy", "too many signatures wait to be verified")
    return TooMuch("too-much-at-once", "too many signatures of this device are waiting")


def _match_all(claims: Sequence[Claim]) -> list[str]:
    return [first_match(claim) for claim in claims]
