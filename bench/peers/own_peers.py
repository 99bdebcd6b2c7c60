"""Farthing itself, for the jobs of the others: pages bought by stock clients, and its own API."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version

import msgspec

from bench.engines import config_file, new_hub
from bench.figures import Figure, median_run
from bench.fleet import furnish
from bench.kept_fleet import KeptSpender
from bench.payments import run_single
from bench.peers.base import Asked, Peer
from bench.peers.children import paid, serving
from bench.processes import free_port, hub_of
from bench.shop import PATH

_TOLD = ("farthing", "x402", "pympp", "uvicorn")
_SINGLES = (1, 16, 64)


def _install() -> dict[str, str]:
    return {name: version(name) for name in _TOLD}


def _bought(asked: Asked, kind: str) -> Iterator[Figure]:
    with new_hub("sqlite") as config:
        fleet = asyncio.run(furnish(config, max(asked.devices, *asked.clients)))
        file, port = config.path("spenders"), free_port()
        kept = [KeptSpender(spender.device, spender.signer.seed) for spender in fleet.spenders]
        file.write_bytes(msgspec.msgpack.encode(kept))
        shop = [sys.executable, "-m", "bench.shop", str(config_file(config)), str(port)]
        log = asked.folder / "shop.log"
        with serving([*shop, fleet.payees[0]], port, log) as selling:
            for clients in asked.clients:
                payer = [sys.executable, "-m", "bench.peers.own_payer", str(file)]
                payer += [f"http://127.0.0.1:{port}{PATH}", kind, str(clients), str(asked.seconds)]
                yield paid(
                    f"farthing-{kind}-{clients}", "sqlite", payer, [selling],
                    asked.folder / "payer.log", seconds=asked.seconds, runs=asked.runs,
                )  # fmt: skip


def _x402(asked: Asked) -> Iterator[Figure]:
    return _bought(asked, "x402")


def _mpp(asked: Asked) -> Iterator[Figure]:
    return _bought(asked, "mpp")


def _api(asked: Asked) -> Iterator[Figure]:
    with new_hub("sqlite") as config:
        fleet = asyncio.run(furnish(config, asked.devices))
        for clients in [count for count in asked.clients if count in _SINGLES]:
            with hub_of(config) as (hub, port):
                name = f"farthing-api-{clients}"
                yield median_run(
                    [
                        run_single(
                            config, fleet, hub, port, clients, seconds=asked.seconds, name=name
                        )
                        for _ in range(asked.runs)
                    ]
                )


_UNLIKE = (
    "The hub holds the money; every payment is on disk before it is answered, under a mandate of"
    " two budgets, and has a signed receipt."
)

PEERS: Sequence[Peer] = (
    Peer("farthing-x402", "a page is bought: 402, signed order, hold, capture, receipt; the stock"
         " x402 client", _UNLIKE, _install, _x402),
    Peer("farthing-mpp", "the same with the stock pympp client", _UNLIKE, _install, _mpp),
    Peer("farthing-api", "a signed order is paid at POST /v1/payments",
         f"{_UNLIKE} Orders are signed beforehand, by a load generator that costs less than a"
         " client would.", _install, _api),
)  # fmt: skip
