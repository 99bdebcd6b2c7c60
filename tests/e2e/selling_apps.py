"""Servers of a test's own on real sockets: uvicorn in a thread, and a shop made of stock parts."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI
from x402 import x402ResourceServer
from x402.http.middleware.fastapi import payment_middleware
from x402.http.types import PaymentOption, RouteConfig

from farthing.plugs.x402_seller import FarthingBatchServer, FarthingServerScheme, facilitator


@contextlib.contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an ASGI app on a free port; gives its URL."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def stock_shop(
    hub_url: str, hub: str, key: str, payee: str, calls: list[str], scheme: str = "exact"
) -> FastAPI:
    """A stock x402 seller that settles at our hub."""
    server = x402ResourceServer(facilitator(hub_url, key))
    server.register("farthing:*", FarthingServerScheme())
    server.register("farthing:*", FarthingBatchServer("tea shop"))
    routes = {
        f"GET {path}": RouteConfig(
            accepts=PaymentOption(
                scheme=scheme, network=f"farthing:{hub}", pay_to=payee, price="$0.0015"
            )
        )
        for path in ("/tea", "/broken")
    }
    app = FastAPI()
    app.middleware("http")(payment_middleware(routes, server))

    @app.get("/tea")
    async def tea() -> str:
        calls.append("tea")
        return "tea"

    @app.get("/broken")
    async def broken() -> str:
        calls.append("broken")
        raise RuntimeError("the kettle is broken")

    return app
