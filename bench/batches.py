"""`batch-100` and `signed-batch-1000`: many payments per request, in MessagePack.

Each payment is its money and two budgets, as in `single-*`. In `batch-100` every order is signed
by its device, the devices taking turns; in `signed-batch-1000` one device signs a thousand at once.
"""

from collections.abc import Sequence

import msgspec
import psutil

from bench.figures import Figure
from bench.fleet import ASSET, PRICE, Fleet, Spender
from bench.load import Job
from bench.processes import measure
from farthing import ids
from farthing.clock import NS, system_clock
from farthing.core.batches import Batch, BatchLine, signed_bytes, write_batch
from farthing.core.orders import SignedOrder
from farthing.settings import Config

_SUPPOSED_PER_S = {100: 12_000, 1000: 20_000}
_CONNECTIONS = {100: 8, 1000: 4}
_LIFETIME_SECONDS = 3000
_PAID = b"\xa8captured"
"""A state as MessagePack writes it: there is one for each payment of an answer."""


def run_batches(
    config: Config, fleet: Fleet, hub: psutil.Process, port: int, each: int, *, seconds: float
) -> Figure:
    """Pay for some seconds, `each` in a request."""
    job = batch_job(fleet, port, each, seconds)
    return measure(config, hub, job, "batch-100" if each == 100 else "signed-batch-1000")


def batch_job(fleet: Fleet, port: int, each: int, seconds: float) -> Job:
    """Sign and write the requests of some seconds."""
    connections = _CONNECTIONS[each]
    count = int(_SUPPOSED_PER_S[each] * seconds / each) + connections
    warmups = max(connections, len(fleet.spenders) // each)
    if each == 100:
        orders = fleet.orders((warmups + count) * each)
        requests = [_request(packed(orders[i : i + each])) for i in range(0, len(orders), each)]
    else:
        requests = [
            _request(under_one(fleet, fleet.spenders[i % len(fleet.spenders)], each))
            for i in range(warmups + count)
        ]
    return Job(port, connections, seconds, warmups, requests, each, _PAID)


def packed(orders: Sequence[SignedOrder]) -> bytes:
    """Write orders that are signed one by one."""
    return msgspec.msgpack.encode(
        [
            "payments",
            [
                [*(value for _, value in sorted(o.order.members().items())), o.signature]
                for o in orders
            ],
        ]
    )


def under_one(fleet: Fleet, spender: Spender, count: int) -> bytes:
    """Write a batch that its device signs once."""
    now_ns = system_clock()
    lines = [
        BatchLine(
            fleet.payees[i % len(fleet.payees)],
            PRICE,
            ids.encode(ids.fresh(now_ns // 1_000_000)),
            "",
        )
        for i in range(count)
    ]
    expires = now_ns // NS + _LIFETIME_SECONDS
    raw = write_batch(Batch(fleet.hub, spender.device, ASSET, expires, lines))
    return msgspec.msgpack.encode(["batch", raw, spender.signer.sign(signed_bytes(raw))])


def _request(body: bytes) -> bytes:
    return (
        b"POST /v1/payments/batch HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: application/msgpack\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )
