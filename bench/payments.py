"""`single-*`: one signed payment per request, charged in one step at `POST /v1/payments`.

A payment is its money and two budgets: three transfers in one chain. 2,000 devices take turns;
orders are signed beforehand, and each device has paid once before the clock starts.
"""

import msgspec
import psutil

from bench.figures import Figure
from bench.fleet import Fleet
from bench.load import Job
from bench.processes import measure
from farthing.codec import to_base64url
from farthing.core.orders import SignedOrder
from farthing.settings import Config

_SUPPOSED_PER_S = {1: 1_500, 16: 6_000, 64: 8_000}


def request(signed: SignedOrder) -> bytes:
    """Write a whole HTTP request that pays an order."""
    body = msgspec.json.encode(
        {"order": signed.order.members(), "signature": to_base64url(signed.signature)}
    )
    return (
        b"POST /v1/payments HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )


def run_single(
    config: Config,
    fleet: Fleet,
    hub: psutil.Process,
    port: int,
    connections: int,
    *,
    seconds: float,
    payee: str = "",
    name: str = "",
) -> Figure:
    """Pay for some seconds on this many connections; all to `payee` where there is one."""
    job = single_job(fleet, port, connections, seconds, payee)
    return measure(config, hub, job, name or f"single-{connections}")


def single_job(fleet: Fleet, port: int, connections: int, seconds: float, payee: str = "") -> Job:
    """Sign and write the requests of some seconds."""
    count = int(_SUPPOSED_PER_S[connections] * seconds)
    warmups = _warmups(fleet, connections)
    requests = [request(order) for order in fleet.orders(warmups + count, payee=payee)]
    return Job(port, connections, seconds, warmups, requests)


def _warmups(fleet: Fleet, connections: int) -> int:
    return max(connections, 200) if connections == 1 else len(fleet.spenders)
