"""WebSockets for these tests: a client that can do wrong, and a service that answers."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from wsproto import ConnectionType, WSConnection, events

Serve = Callable[["Wire"], Awaitable[None]]


class Wire:
    """One end of a WebSocket: `next` gives events, a message whole; `body` is a refusal's."""

    def __init__(
        self, kind: ConnectionType, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.wire, self.reader, self.writer = WSConnection(kind), reader, writer
        self.queue: list[Any] = []
        self.request: Any = None
        self.body = b""

    def put(self, event: Any) -> None:
        self.writer.write(self.wire.send(event))

    def say(self, text: str) -> None:
        self.put(events.TextMessage(data=text))

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.put(events.CloseConnection(code=code, reason=reason))

    async def next(self, seconds: float = 20) -> Any:
        """Give the next event; None when the other end hung up."""
        event = await self._event(seconds)
        while isinstance(event, events.Message) and not event.message_finished:
            rest = await self._event(seconds)
            event = type(rest)(data=event.data + rest.data, message_finished=rest.message_finished)
        if isinstance(event, events.RejectConnection) and event.has_body:
            self.body = b""
            while not (rest := await self._event(seconds)).body_finished:
                self.body += rest.data
            self.body += rest.data
        return event

    async def _event(self, seconds: float) -> Any:
        while True:
            while self.queue:
                event = self.queue.pop(0)
                if isinstance(event, events.Ping):
                    self.put(event.response())
                elif (
                    isinstance(event, events.CloseConnection)
                    and self.wire.state.name == "REMOTE_CLOSING"
                ):
                    self.put(event.response())
                    return event
                else:
                    return event
            data = await asyncio.wait_for(self.reader.read(65536), seconds)
            if not data:
                return None
            self.wire.receive_data(data)
            self.queue += list(self.wire.events())

    async def text(self) -> str:
        event = await self.next()
        assert isinstance(event, events.TextMessage), event
        return event.data


@contextlib.asynccontextmanager
async def opening(
    url: str,
    target: str = "/",
    fields: list[tuple[bytes, bytes]] | None = None,
    *,
    subprotocols: list[str] | None = None,
    source: str = "127.0.0.1",
    receive_buffer: int = 0,
) -> AsyncIterator[tuple[Wire, Any]]:
    """Ask for a WebSocket; give our end of it, and what was answered."""
    port = int(url.rpartition(":")[2])
    ours = socket.socket()
    if receive_buffer:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    ours.setblocking(False)
    ours.bind((source, 0))
    await asyncio.get_running_loop().sock_connect(ours, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=ours, limit=2**14)
    wire = Wire(ConnectionType.CLIENT, reader, writer)
    host = f"127.0.0.1:{port}"
    wire.put(
        events.Request(
            host=host,
            target=target,
            extra_headers=fields or [],
            subprotocols=subprotocols or [],
        )
    )
    try:
        yield wire, await wire.next()
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def service(serve: Serve) -> AsyncIterator[str]:
    """Run a WebSocket service of its own on a free port."""
    tasks: set[asyncio.Task[Any]] = set()

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        wire = Wire(ConnectionType.SERVER, reader, writer)
        try:
            wire.request = await wire.next()
            await serve(wire)
        except (ConnectionError, AssertionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(met, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
