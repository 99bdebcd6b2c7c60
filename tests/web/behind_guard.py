"""A real server with bounds of its own, and clients that misbehave."""

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from farthing.web.door import BoundedServer, guarded
from farthing.web.guard import Guard

HEAD = b"GET / HTTP/1.1\r\nHost: shop\r\n"
GET = HEAD + b"\r\n"
LAST = HEAD + b"Connection: close\r\n\r\n"
"""A request after whose answer the server hangs up: nobody waits for what does not come."""


@asynccontextmanager
async def guarding(
    app: Any,
    guard: Guard,
    listener: socket.socket | None = None,
    tls: ssl.SSLContext | None = None,
    **config: Any,
) -> AsyncIterator[int]:
    """Serve on a free port of every loopback address, and give the port."""
    listener = listener or socket.create_server(("0.0.0.0", 0))
    settings = {"http": guarded(guard), "log_level": "critical", "ws": "none", "lifespan": "off"}
    server = BoundedServer(uvicorn.Config(app, **(settings | config)), guard)
    server.config.load()
    server.config.ssl = tls
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 - uvicorn tells no other way
        await asyncio.sleep(0.005)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task


class Client:
    """One connection, from an address of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        with contextlib.suppress(ConnectionError):  # Perhaps it was refused meanwhile.
            await self.writer.drain()

    async def all(self, seconds: float = 5) -> bytes:
        """Read until the server hangs up, or nothing comes any more."""
        got = b""
        try:
            async with asyncio.timeout(seconds):
                while part := await self.reader.read(65536):
                    got += part
        except (TimeoutError, ConnectionError):
            pass
        return got

    async def gone(self, seconds: float = 5) -> bool:
        """Tell whether the server hangs up within this time, without reading anything of it."""
        deadline = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline:
            try:
                self.writer.write(b"\r\n")
                await self.writer.drain()
            except ConnectionError:
                return True
            await asyncio.sleep(0.02)
        return False


@asynccontextmanager
async def client(port: int, address: str = "127.0.0.1", **more: Any) -> AsyncIterator[Client]:
    """Connect from an address of this machine; those after 127.0.0.1 count as strangers."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, local_addr=(address, 0), **more
    )
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


@asynccontextmanager
async def clients(port: int, addresses: list[str], **more: Any) -> AsyncIterator[list[Client]]:
    """Connect from each of these addresses."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(client(port, a, **more)) for a in addresses]


def problem_in(answer: bytes) -> tuple[int, str]:
    """Give status and code of the one problem that was answered, which tells when to return."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split(b" ")[1])
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    assert b"content-type: application/problem+json" in head
    assert (b"retry-after: " in head) == (status in (429, 503)), head
    problem = json.loads(body)
    assert problem["status"] == status
    assert problem["hint"]
    return status, problem["code"]


async def until(holds: Any, seconds: float = 20) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)
