"""One WebSocket between a client and the service behind a proxy.

Messages and close codes are carried over as they are, each way as fast as it is taken. Neither
side waits for the other's end.
"""

import asyncio
import contextlib

from farthing.web.asgi import Message, Receive, Send
from farthing.web.upstream_connection import UpstreamBroke
from farthing.web.upstream_socket import NO_CODE, Closed, UpstreamSocket

GOING_AWAY, BROKEN = 1001, 1011
"""What is told where a side ends without a word that could be carried over."""


class ProxiedSocket:
    """A socket that both sides have opened."""

    def __init__(self, upstream: UpstreamSocket, receive: Receive, send: Send) -> None:
        self._upstream, self._receive, self._send = upstream, receive, send

    async def __call__(self) -> None:
        """Carry messages until one side has closed.

        Raises: UpstreamBroke when the service broke off, after the client was told; OSError when
                the client is gone.
        """
        onward, backward = ways = [
            asyncio.create_task(self._onward()),
            asyncio.create_task(self._backward()),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            # Where the client has left, the service's end is ours and no fault of it.
            (onward if onward.done() else backward).result()
        except UpstreamBroke:
            with contextlib.suppress(OSError):
                told = "the service behind this proxy broke off"
                await self._close(Closed(BROKEN, told))
            raise
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._upstream.close(GOING_AWAY)

    async def _onward(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self._upstream.close(message.get("code") or NO_CODE, message.get("reason") or "")
                return
            text = message.get("text")
            await self._upstream.send(message["bytes"] if text is None else text)

    async def _backward(self) -> None:
        while True:
            came = await self._upstream.receive()
            if isinstance(came, Closed):
                await self._close(came)
                return
            message: Message = {"type": "websocket.send"}
            message["text" if isinstance(came, str) else "bytes"] = came
            await self._send(message)

    async def _close(self, closed: Closed) -> None:
        await self._send({"type": "websocket.close", "code": closed.code, "reason": closed.reason})
