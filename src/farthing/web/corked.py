"""A transport that sends the head of an answer together with its body.

An ASGI answer is written in two pieces. Sent one by one, each costs a system call, and often a
packet; on a busy hub that is a tenth of a payment.
"""

import asyncio
from typing import Any

_KEPT_BYTES_MAX = 64 * 1024


class Corked:
    """What is written in one turn of the event loop leaves in one piece, at its end or before."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._pieces: list[bytes] = []
        self._bytes = 0

    def __getattr__(self, name: str) -> Any:
        """Be the transport in everything else."""
        return getattr(self._transport, name)

    def write(self, piece: bytes) -> None:
        """Keep a piece until the turn ends; much is sent at once, so that it can push back."""
        if not self._pieces:
            self._loop.call_soon(self.flush)
        self._pieces.append(piece)
        self._bytes += len(piece)
        if self._bytes > _KEPT_BYTES_MAX:
            self.flush()

    def write_whole(self, answer: bytes) -> None:
        """Send an answer that is already in one piece."""
        self._pieces.append(answer)
        self.flush()

    def write_eof(self) -> None:
        """Send what was kept, and say that nothing follows."""
        self.flush()
        self._transport.write_eof()

    def close(self) -> None:
        """Send what was kept, and close."""
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        """Send what was kept now: nothing of this answer follows."""
        pieces, self._pieces, self._bytes = self._pieces, [], 0
        if pieces and not self._transport.is_closing():
            self._transport.write(b"".join(pieces))
