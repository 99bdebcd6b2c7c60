"""The world on real sockets: a shop that hangs up after it took the money, and a hub."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from farthing.clock import system_clock
from farthing.device.purse import Membership, save_membership
from farthing.keys import Ed25519Signer, write_key_file

from .world import DEVICE, HUB, ROOT, World, credential


class Shop:
    """Serves a world over plain sockets on 127.0.0.1, one request for each connection.

    Shape: `hang_ups` is how many paying requests are served and then left without an answer.
    """

    def __init__(self, **terms: Any) -> None:
        self.world = World(system_clock, **terms)
        self.hang_ups = 0
        self.port = 0
        self.credentials: list[str] = []
        self.on_credential: Callable[[], Any] = list

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def purse(self, folder: Any, **membership: Any) -> Any:
        """Keep the purse of an enrolled device in a folder."""
        signer = Ed25519Signer(bytes(range(1, 33)))
        self.world.devices[DEVICE] = signer.public
        write_key_file(folder / "device.key", signer)
        told = {"device": DEVICE, "hub": HUB, "hub_url": self.url, "root_key": ROOT.public}
        save_membership(folder, Membership(**(told | membership)))
        return folder

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request, let the world answer it, and perhaps hang up."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            first = await reader.readexactly(1)
            if first == b"\x16":  # A TLS handshake, which this shop does not understand.
                writer.write(b"HTTP/1.1 400 -\r\n\r\n")
                writer.close()
                return
            head = (first + await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, target, _ = head[0].split(" ")
            pairs = [line.split(": ", 1) for line in head[1:] if line]
            headers = [(name.lower(), value) for name, value in pairs]
            length = int(dict(headers).get("content-length", "0"))
            body = await reader.readexactly(length)
            hub = target.startswith(("/v1/", "/.well-known/"))
            url = ("https://hub.example" if hub else "https://shop.example") + target
            kept = [(name, value) for name, value in headers if name != "host"]
            request = httpx.Request(method, url, headers=kept, content=body)
            response = await httpx.ASGITransport(self.world).handle_async_request(request)
            if credential(request):
                self.credentials.append(credential(request))
                self.on_credential()
                if self.hang_ups:
                    self.hang_ups -= 1
                    writer.transport.abort()
                    return
            content = await response.aread()
            fields = [*response.headers.multi_items(), ("content-length", str(len(content)))]
            lines = [f"HTTP/1.1 {response.status_code} -", *(f"{k}: {v}" for k, v in fields)]
            writer.write("\r\n".join([*lines, "connection: close", "", ""]).encode() + content)
            await writer.drain()
            writer.close()


@contextlib.contextmanager
def open_shop(**terms: Any) -> Iterator[Shop]:
    """Run a shop in a thread."""
    shop = Shop(**terms)
    started, loop = threading.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        server = await asyncio.start_server(shop.answer, "127.0.0.1", 0)
        shop.port = server.sockets[0].getsockname()[1]
        # The hub in the world knows the authority that devices sign for.
        shop.world.authority = f"127.0.0.1:{shop.port}"
        started.set()
        async with server:
            with contextlib.suppress(asyncio.CancelledError):
                await server.serve_forever()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert started.wait(5)
    try:
        yield shop
    finally:
        for task in asyncio.all_tasks(loop):
            loop.call_soon_threadsafe(task.cancel)
        thread.join(5)
        loop.close()
