"""Answers that go on until they end, or until nobody is there to hear them."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from farthing.web.api.endpoint import Call


async def long_answer(call: Call, answer: Coroutine[Any, Any, None]) -> None:
    """Give a long answer, which holds a place, until it ends or nobody is there to hear it.

    Raises: Unavailable `too-busy`; TooMuch `too-much-at-once`; nothing was said then.
    """
    with contextlib.closing(answer), call.desk.streams.place(call.asker.owner, call.address):
        answering = asyncio.create_task(answer)
        leaving = asyncio.create_task(_until_gone(call))
        try:
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            answering.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await answering


async def _until_gone(call: Call) -> None:
    while (await call.receive())["type"] != "http.disconnect":
        pass
