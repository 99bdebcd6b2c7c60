"""`python -m bench.floods`: what a hub and a proxy hold in memory before, in and after floods.

Each flood is sent twice to real processes with default settings: what the first one leaves, and
the second one adds nothing to, are caches of bounded size and not a leak.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import sys
import time
from collections.abc import Generator, Mapping

import msgspec
import psutil
from rich.console import Console
from rich.table import Table

from bench.engines import config_file, new_hub
from bench.fleet import Fleet, furnish
from bench.flood_kinds import HUB, PROXY, PROXY_IN_FRONT, Aim, Flood
from bench.machine import describe
from bench.processes import free_port, server
from farthing.app import open_hub
from farthing.core.devices import DEVICES
from farthing.core.owners import CreateKey, Scope
from farthing.errors import present
from farthing.services.access import new_key
from farthing.settings import Config
from farthing.store.queries import one

_LOOK_SECONDS = 0.02
_QUIET_SECONDS_MAX = 20.0
_MIB = 2**20
_WIDTH = 120

PRICES = """
[seller]
payee = "{payee}"

[[offer]]
path = "/page"
price = "0.0015 USD"
"""


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What one flood did to one server. Units: MiB of resident memory."""

    server: str
    flood: str
    sent: int
    seconds: float
    before: float
    peak: float
    after: float
    after_again: float


class Held:
    """Looks at a process's memory while something goes on."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self.peak = self.now()

    def now(self) -> float:
        """Give its resident memory."""
        return round(self._process.memory_info().rss / _MIB, 1)

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            self.peak = max(self.peak, self.now())
            await asyncio.sleep(_LOOK_SECONDS)


async def measured(
    where: str, name: str, aim: Aim, process: psutil.Process, flood: Flood, size: int
) -> Memory:
    """Send a flood twice, and look at the server's memory meanwhile."""
    connections = len(process.net_connections())
    held = Held(process)
    before, began = held.now(), time.monotonic()
    watching = asyncio.create_task(held.watch())
    try:
        sent = await flood(aim, size)
        await _quiet(process, connections)
        after = held.now()
        await flood(aim, size)
        await _quiet(process, connections)
    finally:
        watching.cancel()
    return Memory(
        server=where,
        flood=name,
        sent=sent,
        seconds=round(time.monotonic() - began, 1),
        before=before,
        peak=held.peak,
        after=after,
        after_again=held.now(),
    )


async def _quiet(process: psutil.Process, connections: int) -> None:
    """Wait until a server has let go of all who came, and a moment longer."""
    ends = time.monotonic() + _QUIET_SECONDS_MAX
    while len(process.net_connections()) > connections and time.monotonic() < ends:  # noqa: ASYNC110 - asked from outside
        await asyncio.sleep(_LOOK_SECONDS)
    await asyncio.sleep(_LOOK_SECONDS * 5)


@contextlib.contextmanager
def serving(
    which: str, *, devices: int = 10, held_seconds: float = 2.0
) -> Generator[tuple[Aim, psutil.Process]]:
    """Start a hub, or one with a proxy before a web service; give what to aim at."""
    with new_hub("sqlite") as config, contextlib.ExitStack() as stack:
        file = config_file(config)
        trusted = f'\n[server]\ntrusted_proxies = ["{PROXY_IN_FRONT}"]\n'
        file.write_text(file.read_text() + trusted)
        fleet = asyncio.run(furnish(config, devices))
        key = asyncio.run(_key(config, fleet))
        port = free_port()
        hub = ["-m", "farthing", "serve", "--config", str(file), "--port", str(port)]
        process = stack.enter_context(server(hub, port))
        if which == "hub":
            open_page = "/.well-known/farthing"
            yield (
                Aim(port, open_page, "/v1/payments", "/openapi.json", fleet, key, held_seconds),
                process,
            )
            return
        aim, process = _before_a_service(config, fleet, stack)
        yield dataclasses.replace(aim, held_seconds=held_seconds), process


def _before_a_service(
    config: Config, fleet: Fleet, stack: contextlib.ExitStack
) -> tuple[Aim, psutil.Process]:
    port, service = free_port(), free_port()
    prices = config.path("prices.toml")
    prices.write_text(PRICES.format(payee=fleet.payees[0]))
    app = ["-m", "uvicorn", "bench.flood_upstream:app", "--log-level", "error"]
    stack.enter_context(server([*app, "--port", str(service)], service))
    proxy = ["-m", "farthing", "proxy", "--upstream", f"http://127.0.0.1:{service}"]
    proxy += ["--prices", str(prices), "--config", str(config_file(config))]
    proxy += ["--trusted-proxy", PROXY_IN_FRONT, "--port", str(port)]
    process = stack.enter_context(server(proxy, port))
    return Aim(port, "/page", "/sink", "/long", fleet), process


async def _key(config: Config, fleet: Fleet) -> str:
    """Make a key of the owner whom the first device is of."""
    hub = await open_hub(config)
    try:
        first = fleet.spenders[0].device
        device = present(await hub.ctx.database.read(lambda tx: one(tx, DEVICES, first)), "made")
        key, scopes = new_key(hub.ctx), [Scope.OWNER]
        await hub.ctx.books.commit_one(CreateKey(key.id, device.owner, key.hash, scopes, "floods"))
        return key.secret
    finally:
        await hub.close()


def all_floods(
    which: str, size: int, only: str = "", *, held_seconds: float = 2.0
) -> Generator[Memory]:
    """Send every flood, or those with this in their names, to a hub or a proxy."""
    floods: Mapping[str, Flood] = HUB if which == "hub" else PROXY
    with serving(which, held_seconds=held_seconds) as (aim, process):
        for name, flood in floods.items():
            if only in name:
                yield asyncio.run(measured(which, name, aim, process, flood, size))


def show(machine: Mapping[str, str], memories: list[Memory], console: Console) -> None:
    """Print the machine and the table."""
    for name, value in machine.items():
        console.print(f"[dim]{name:>12}[/dim]  {value}")
    table = Table(title="resident memory under floods, MiB", title_justify="left")
    table.add_column("server")
    table.add_column("flood", no_wrap=True)
    for column in ("sent, twice", "before", "peak", "after", "after again"):
        table.add_column(column, justify="right", no_wrap=True)
    for m in memories:
        figures = (m.before, m.peak, m.after, m.after_again)
        table.add_row(m.server, m.flood, f"{m.sent:,}", *(f"{figure:.0f}" for figure in figures))
    console.print(table)


def main() -> None:
    """Send what was asked for."""
    made = argparse.ArgumentParser("bench.floods", description=(__doc__ or "").split("\n", 1)[0])
    made.add_argument("--size", type=int, default=1000, help="connections or requests each [1000]")
    made.add_argument("--server", choices=["hub", "proxy", "both"], default="both")
    made.add_argument("--only", default="", help="only floods with this in their names")
    made.add_argument("--json", action="store_true", help="print one JSON object")
    asked = made.parse_args()
    memories: list[Memory] = []
    for which in ("hub", "proxy") if asked.server == "both" else (asked.server,):
        for memory in all_floods(which, asked.size, asked.only):
            memories.append(memory)
            print(f"{which}: {memory.flood}: {memory.peak:.0f} MiB", file=sys.stderr)
    if asked.json:
        result = {"machine": describe(), "memory": memories}
        print(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())
    else:
        console = Console()
        show(describe(), memories, console if console.is_terminal else Console(width=_WIDTH))


if __name__ == "__main__":
    main()
