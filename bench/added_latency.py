"""`added-latency`: what our middleware adds to the two round trips of a client nobody here wrote.

The stock x402 client buys the same page from a real shop (bench.shop) and from a stub that holds
nothing and checks nothing (bench.stub), taking turns on one connection each. The stub replays the
shop's own 402, so that the client signs the same. `p50_ms` is the difference of the medians; the
ceiling is the client's own rate against the stub.
"""

import asyncio
import time
from pathlib import Path

import httpx
import msgspec
import psutil
from x402 import x402Client
from x402.http.clients.httpx import x402AsyncTransport

from bench.engines import config_file
from bench.figures import Figure, percentile
from bench.fleet import Fleet
from bench.processes import free_port, server
from bench.shop import PATH
from bench.stub import Page
from farthing.core.prices import Mode
from farthing.plugs.x402_client import FarthingScheme
from farthing.settings import Config

_WARMUPS = 20
_FIELDS = ("content-type", "payment-required")


def run_added_latency(
    config: Config, fleet: Fleet, *, purchases: int, mode: Mode = "hold"
) -> Figure:
    """Buy the page that many times from each of the two, sold in this mode."""
    shop, stub = free_port(), free_port()
    command = ["-m", "bench.shop", str(config_file(config)), str(shop), fleet.payees[0], mode]
    with server(command, shop) as hub:
        file = _noted(config.path("stub.json"), shop)
        with server(["-m", "bench.stub", str(file), str(stub)], stub):
            figure = asyncio.run(_measured(config, fleet, hub, (shop, stub), purchases))
    figure.name = "added-latency" if mode == "hold" else f"added-latency-{mode}"
    return figure


def _noted(file: Path, port: int) -> Path:
    answer = httpx.get(_url(port), trust_env=False)
    fields = [(name, answer.headers[name]) for name in _FIELDS if name in answer.headers]
    file.write_bytes(msgspec.json.encode(Page(fields, answer.text)))
    return file


async def _measured(
    config: Config, fleet: Fleet, hub: psutil.Process, ports: tuple[int, int], purchases: int
) -> Figure:
    taken: list[list[float]] = [[], []]
    before = hub.cpu_times()
    began = time.perf_counter()
    async with _client(fleet) as one, _client(fleet) as other:
        for i in range(_WARMUPS + purchases):
            if i == _WARMUPS:
                before, began = hub.cpu_times(), time.perf_counter()
                taken = [[], []]
            for client, port, times in zip((one, other), ports, taken, strict=True):
                times.append(await _bought(client, port))
    took, cpu = time.perf_counter() - began, hub.cpu_times()
    (real, bare), used = [sorted(times) for times in taken], cpu.user + cpu.system
    ours = sum(real)
    return Figure(
        name="added-latency",
        engine=config.books.engine,
        rate_per_s=round(purchases / ours, 1),
        p50_ms=round((percentile(real, 0.5) - percentile(bare, 0.5)) * 1000, 2),
        p99_ms=round((percentile(real, 0.99) - percentile(bare, 0.99)) * 1000, 2),
        ceiling_per_s=round(purchases / sum(bare), 1),
        ceiling="the same client against a stub",
        cpu_us_each=round((used - before.user - before.system) / purchases * 1e6, 1),
        load_cpu_us_each=round((took - ours) / purchases * 1e6, 1),
        counted=purchases,
        resident_mib=round(hub.memory_info().rss / 2**20, 1),
    )


def _client(fleet: Fleet) -> httpx.AsyncClient:
    spender = fleet.spenders[0]
    stock = x402Client().register("farthing:*", FarthingScheme(spender.signer, spender.device))
    inner = httpx.AsyncHTTPTransport()
    return httpx.AsyncClient(transport=x402AsyncTransport(stock, inner), trust_env=False)


async def _bought(client: httpx.AsyncClient, port: int) -> float:
    began = time.perf_counter()
    answer = await client.get(_url(port))
    answer.raise_for_status()
    return time.perf_counter() - began


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}{PATH}"
