"""Connections without a network: what comes in is given by hand, what goes out is kept."""

import asyncio
from collections.abc import Sequence
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from farthing.web.strict_http import StrictHttp

HERE, STRANGER = "127.0.0.1", "203.0.113.9"
DATE = (b"date", b"Thu, 26 Nov 2026 07:00:00 GMT")


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self, client: str = HERE) -> None:
        super().__init__()
        self.written, self.closed, self._client = b"", False, client

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": (self._client, 5), "sockname": (HERE, 6)}.get(name, default)

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def write_eof(self) -> None:
        pass

    def can_write_eof(self) -> bool:
        return True

    def set_write_buffer_limits(self, high: Any = None, low: Any = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def connected(made: type[StrictHttp], app: Any, client: str = HERE) -> tuple[Any, Wire]:
    """Let somebody connect to a server of this protocol."""
    config = uvicorn.Config(
        app, http=made, ws="none", lifespan="off", log_config=None, server_header=False,
        timeout_keep_alive=30,
    )  # fmt: skip
    config.load()
    state = ServerState()
    state.default_headers = [DATE]
    wire, protocol = Wire(client), made(config=config, server_state=state, app_state={})
    protocol.connection_made(wire)
    return protocol, wire


async def settled(protocol: StrictHttp) -> None:
    """Wait until nothing is answered any more but what waits for the rest of its body."""
    for _ in range(3):
        await asyncio.sleep(0)
    while protocol.serves and protocol._body_since is None:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.0005)
    for _ in range(3):
        await asyncio.sleep(0)


async def heard(
    made: type[StrictHttp], app: Any, pieces: Sequence[bytes], client: str = HERE
) -> tuple[bytes, bool]:
    """Send pieces, each after the last one is answered; give what came back, and who hung up."""
    protocol, wire = connected(made, app, client)
    for piece in pieces:
        if not wire.closed:
            protocol.data_received(piece)
        await settled(protocol)
    said = wire.written, wire.closed
    protocol.connection_lost(None)
    return said
