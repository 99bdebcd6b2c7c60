"""A WebSocket's connection, which gives its place at the door back when it ends."""

from collections.abc import Callable

from uvicorn.protocols.websockets.wsproto_impl import WSProtocol


class PlacedSocket(WSProtocol):
    """uvicorn's WebSocket on wsproto. Shape: `left` is told once that the connection is no more."""

    left: Callable[[], None] | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        super().connection_lost(exc)
        if self.left is not None:
            self.left()
