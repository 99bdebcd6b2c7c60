"""A line between two processes that can be cut where it hurts: an answer that never arrives."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PATIENCE_SECONDS = 60


class Line:
    """Carries bytes to a socket, from one of its own, in a thread; use it as a context.

    Shape: `answer` is in what is lost: PostgreSQL's word that it has committed, or an answer's
           head. A cut ends the connection; what was asked had been carried on.
    """

    def __init__(self, to: Path | int, at: Path | int, answer: bytes):
        self._to, self.at, self._answer = to, at, answer
        self._wanted = 0
        self._cut = threading.Event()
        self._listens, self._over = threading.Event(), asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._run()])
        self.cuts = 0

    def __enter__(self):
        self._thread.start()
        assert self._listens.wait(_PATIENCE_SECONDS)
        return self

    def __exit__(self, *fault: object):
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(_PATIENCE_SECONDS)
        self._loop.close()

    async def cut(self):
        """Lose the next answer, and wait until that is done."""
        self._cut.clear()
        self._wanted = 1
        assert await asyncio.to_thread(self._cut.wait, _PATIENCE_SECONDS)

    async def _run(self):
        async with await _served(self._carry, self.at):
            self._listens.set()
            await self._over.wait()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    async def _carry(self, asking: asyncio.StreamReader, asker: asyncio.StreamWriter):
        answering, answerer = await _connected(self._to)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await asyncio.gather(
                _pump(asking, answerer, lambda _: False), _pump(answering, asker, self._is_lost)
            )
        asker.transport.abort()
        answerer.transport.abort()

    def _is_lost(self, said: bytes) -> bool:
        if not self._wanted or self._answer not in said:
            return False
        self._wanted -= 1
        self.cuts += 1
        self._cut.set()
        return True


async def _pump(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, lost: Callable[[bytes], bool]
):
    while said := await source.read(65536):
        if lost(said):
            break
        sink.write(said)
        await sink.drain()
    raise ConnectionResetError  # Either end's end is both ends'.


async def _served(carry: Any, at: Path | int):
    if isinstance(at, Path):
        return await asyncio.start_unix_server(carry, at)
    return await asyncio.start_server(carry, "127.0.0.1", at)


async def _connected(to: Path | int):
    if isinstance(to, Path):
        return await asyncio.open_unix_connection(to)
    return await asyncio.open_connection("127.0.0.1", to)
