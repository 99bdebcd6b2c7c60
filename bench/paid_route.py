"""`paid-route-64`: a paid page through the middleware: hold, serve, capture.

One 402 is asked for beforehand, and all credentials (x402 v2) are written and signed for it, each
with a nonce of its own. What is counted are the paid requests: each is verified, held in one
commit, served, captured in another, and answered with the page and its receipt.
"""

import httpx
import psutil

from bench.figures import Figure
from bench.fleet import Fleet
from bench.load import Job
from bench.processes import measure
from bench.shop import PATH
from farthing import ids
from farthing.clock import system_clock
from farthing.core.orders import SignedOrder
from farthing.protocols import names
from farthing.protocols.client import Ask, asks
from farthing.settings import Config

CONNECTIONS = 64
_SUPPOSED_PER_S = 4_000
_COMMITS_EACH = 2


def run_paid_route(
    config: Config, fleet: Fleet, hub: psutil.Process, port: int, *, seconds: float
) -> Figure:
    """Buy pages for some seconds."""
    ask = _asked(port)
    warmups = len(fleet.spenders)
    count = warmups + int(_SUPPOSED_PER_S * seconds)
    requests = [_request(ask, fleet, i) for i in range(count)]
    job = Job(port, CONNECTIONS, seconds, warmups, requests)
    return measure(config, hub, job, f"paid-route-{CONNECTIONS}", units_each=_COMMITS_EACH)


def _asked(port: int) -> Ask:
    answer = httpx.get(f"http://127.0.0.1:{port}{PATH}", trust_env=False)
    found = asks(answer.headers.multi_items())
    return next(ask for ask in found if ask.language == names.X402)


def _request(ask: Ask, fleet: Fleet, number: int) -> bytes:
    spender = fleet.spenders[number % len(fleet.spenders)]
    order = ask.order(spender.device, system_clock(), _nonce)
    signed = SignedOrder(order, spender.signer.sign(order.signed_bytes()))
    fields = "".join(f"{name}: {value}\r\n" for name, value in ask.credential(signed))
    return f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}\r\n".encode()


def _nonce() -> str:
    return ids.encode(ids.fresh(system_clock() // 1_000_000))
