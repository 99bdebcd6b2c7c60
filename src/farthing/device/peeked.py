"""An answer's body of which the beginning was looked at, and which is still there to be read."""

from collections.abc import AsyncIterator

import httpx


class Peeked(httpx.AsyncByteStream):
    """Holds what was read of a body, and gives it again before the rest.

    Shape: a body that was read to its end is let go of at once, and its connection with it.
    """

    def __init__(self, body: httpx.AsyncByteStream) -> None:
        self._body = body
        self._parts = aiter(body)
        self._begun: list[bytes] = []
        self._fault: httpx.TransportError | None = None

    async def peek(self, bytes_max: int) -> bytes:
        """Read the body if it has at most so many bytes; nothing of a longer or broken one."""
        size = 0
        try:
            async for part in self._parts:
                self._begun.append(part)
                size += len(part)
                if size > bytes_max:
                    return b""
        except httpx.TransportError as fault:
            self._fault = fault
            return b""
        await self._body.aclose()
        return b"".join(self._begun)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the whole body.

        Raises: what came in its way, when that was looked at and when it is read.
        """
        for part in self._begun:
            yield part
        if self._fault is not None:
            raise self._fault
        async for part in self._parts:
            yield part

    async def aclose(self) -> None:
        """Close the body below."""
        await self._body.aclose()
