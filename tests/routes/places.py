"""Where a priced page is sold: the middleware under each server, the proxy before each service."""

import asyncio
import contextlib
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from farthing.web.proxy import ReverseProxy
from tests.ports import free_port
from tests.web.shop import Shop, serving

from .forgiving import SECRET, Forgiving
from .granian_shop import SEED, new_shop, told

ROOT = Path(__file__).parents[2]


@dataclass
class Place:
    """Where to ask; `books` tells what was taken and given; `shop` can sign for its buyer."""

    url: str
    shop: Shop
    books: Callable[[], dict[str, Any]]


@contextlib.contextmanager
def in_background(context: Callable[[], AbstractAsyncContextManager[str]]) -> Iterator[str]:
    """Run a server on an event loop of its own; give its URL."""
    started: list[str] = []
    ready, loop = threading.Event(), asyncio.new_event_loop()
    ending = asyncio.Event()

    async def run() -> None:
        async with context() as url:
            started.append(url)
            ready.set()
            await ending.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        while not ready.wait(0.1):
            assert thread.is_alive(), "the server did not start"
        yield started[0]
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join(20)
        loop.close()


@contextlib.contextmanager
def process(*command: str, port: int) -> Iterator[str]:
    """Run a server of another kind until the end of the test."""
    started = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        for _ in range(1200):
            if started.poll() is not None:
                raise AssertionError(started.stdout.read().decode())
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        started.terminate()
        started.communicate(timeout=60)


def nginx_user() -> str:
    """Let nginx's workers be who we are: only then can they write where the test may."""
    return "user root;" if os.geteuid() == 0 else ""


# The middleware.


@contextlib.contextmanager
def middleware(**config: Any) -> Iterator[Place]:
    """A paywall around the forgiving service, under uvicorn."""
    shop, service = new_shop(), Forgiving()
    app = shop.paywall.wrap(service)
    with in_background(lambda: serving(app, **config)) as url:
        yield Place(url, shop, lambda: told(shop, service))


@contextlib.contextmanager
def under_granian(*options: str) -> Iterator[Place]:
    """The same under granian, in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--port", str(port)]
    command += ["--no-log", *options, "tests.routes.granian_shop:app"]
    with process(*command, port=port) as url:

        def books() -> dict[str, Any]:
            with urllib.request.urlopen(f"{url}/-/books") as answer:
                return json.load(answer)

        buyer = new_shop()
        buyer.device = books()["device"]
        yield Place(url, buyer, books)


# The proxy, and services behind it.


@contextlib.contextmanager
def before(upstream: str, service: Forgiving | None = None) -> Iterator[Place]:
    """The proxy before a service."""
    shop = new_shop()
    front = ReverseProxy(upstream)
    app = shop.paywall.wrap(front)
    with in_background(lambda: serving(app)) as url:
        yield Place(url, shop, lambda: told(shop, service or Forgiving()))


@contextlib.contextmanager
def before_forgiving() -> Iterator[Place]:
    service = Forgiving()
    with (
        in_background(lambda: serving(service, http="h11")) as upstream,
        before(upstream, service) as place,
    ):
        yield place


def site(folder: Path) -> Path:
    """Lay out the pages as files."""
    (folder / "vault").mkdir(parents=True)
    for name in ("paid", "vault/gold"):
        (folder / name).write_bytes(SECRET)
    (folder / "free").write_bytes(b"free")
    return folder


@contextlib.contextmanager
def before_http_server(folder: Path) -> Iterator[Place]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(site_folder))

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    site_folder = site(folder / "site")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        with before(f"http://127.0.0.1:{server.server_port}") as place:
            yield place
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def _secret(_request: Any) -> PlainTextResponse:
    return PlainTextResponse(SECRET)


async def _free(_request: Any) -> PlainTextResponse:
    return PlainTextResponse("free")


@contextlib.contextmanager
def before_starlette() -> Iterator[Place]:
    methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]
    app = Starlette(
        routes=[
            Route("/paid", _secret, methods=methods),
            Route("/free", _free, methods=methods),
            Mount("/vault", routes=[Route("/{name}", _secret, methods=methods)]),
        ]
    )
    with in_background(lambda: serving(app, http="auto")) as upstream, before(upstream) as place:
        yield place


@contextlib.contextmanager
def before_node() -> Iterator[Place]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not here: make setup-system")
    port = free_port()
    script = str(Path(__file__).with_name("forgiving.js"))
    with process(node, script, str(port), SECRET.decode(), port=port) as url, before(url) as place:
        yield place


NGINX = """
daemon off; {user} pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{}}
http {{
  access_log off; underscores_in_headers on; ignore_invalid_headers off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port}; root {folder}/site;
    location ~* "^/(paid|vault/gold)(/|\\.[a-z]+|[ .])*$" {{ try_files /paid =404; }}
  }}
}}
"""


@contextlib.contextmanager
def before_nginx(folder: Path) -> Iterator[Place]:
    nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if nginx is None:
        pytest.skip("nginx is not here: make setup-system")
    site(folder / "site")
    port = free_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, user=nginx_user()))
    command = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with process(*command, port=port) as url, before(url) as place:
        yield place


MIDDLEWARE: dict[str, Callable[[Path], Any]] = {
    "uvicorn": lambda _folder: middleware(),
    "granian": lambda _folder: under_granian(),
}
UNSUPPORTED: dict[str, Callable[[Path], Any]] = {
    "uvicorn with its own parser": lambda _folder: middleware(http="httptools"),
    "uvicorn with h11": lambda _folder: middleware(http="h11"),
}
PROXY: dict[str, Callable[[Path], Any]] = {
    "the forgiving service": lambda _folder: before_forgiving(),
    "Starlette": lambda _folder: before_starlette(),
    "http.server": before_http_server,
    "node": lambda _folder: before_node(),
    "nginx": before_nginx,
}
PLACES = MIDDLEWARE | UNSUPPORTED | {f"proxy before {name}": at for name, at in PROXY.items()}

__all__ = ["PLACES", "SEED", "Place"]
