"""Hubs that are asked the same in step, with the same keys, clock and luck, on different books.

Whatever a hub answers has to be what every other one answers, byte for byte.
"""

import asyncio
import contextlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from farthing.app import Ground, Hub, open_hub
from farthing.opening import key_ring
from farthing.services.audit import Report, examine
from farthing.services.audit_cluster import cluster_fault
from farthing.settings import BooksSettings, Config, FeeSettings, LimitSettings
from farthing.store.history import newest_head
from farthing.testing.postgres import PostgresServer
from farthing.testing.worlds import HandClock
from farthing.web.app import HubApp, LocalOperator
from tests.books.auditor import check_history
from tests.equal.blurring import OfHeads, blurred
from tests.equal.engines import ENGINES, Told
from tests.equal.wire import Answer, Ask, serve

_LIMITS = LimitSettings(address_per_second=0, key_per_second=1_000_000, failures_per_minute=0)


class Differs(AssertionError):
    """Two engines did not answer the same."""


class OneHub:
    """A hub on one engine. Shape: `luck` outlives its restarts, as its process's would not."""

    def __init__(self, engine: str, config: Config, told: Told, clock: HandClock) -> None:
        self.engine, self.config, self._clock = engine, config, clock
        self.cluster = told.cluster
        self.luck = Random("every hub's")
        self.hub: Hub = None  # type: ignore[assignment] - it is open before it is asked
        self._apps: tuple[Any, Any] = (None, None)

    async def open(self) -> None:
        """Open it; nothing is done by time but when it is told to look."""
        self.hub = await open_hub(
            self.config,
            clock=self._clock,
            random_bits=self.luck.getrandbits,
            serves=True,
            ground=Ground(cluster=self.cluster),
        )
        await self.hub.worker.stop()
        app = HubApp(self.hub.desk)
        self._apps = (app, LocalOperator(app))

    async def ask(self, ask: Ask) -> Answer:
        """Ask it."""
        return await asyncio.wait_for(serve(self._apps[ask.operator], ask), 60)

    async def audit(self) -> Report:
        """Audit its books, and read all of its history back."""
        read = self.hub.ctx.database.read
        await read(check_history)
        report = await read(lambda tx: examine(tx, self.hub.ctx.identity.root_public, None))
        if self.cluster is not None:
            fault = await cluster_fault(self.hub.ctx.database, self.cluster)
            report = replace(report, fault=report.fault or fault)
        return replace(report, seconds=0.0)

    async def newest(self) -> list[Any]:
        """Give the newest head, and what was done under it."""
        return await self.hub.ctx.database.read(_newest)

    async def rows(self) -> dict[str, list[Any]]:
        """Give all rows of all tables, in one order."""
        return await self.hub.ctx.database.read(_all_rows)


def _newest(tx: Any) -> list[Any]:
    head = newest_head(tx)
    number = 0 if head is None else head.number
    leaves = tx.rows(
        "SELECT statement, rows_digest FROM leaves WHERE commit_number = ? ORDER BY number",
        (number,),
    )
    said = [(_plain(statement), OfHeads(digest)) for statement, digest in leaves]
    return [number, said, head]


_OF_ONE_ENGINE = {"used_keys", "migrations", "cluster_times"}
"""Nonces of requests that devices signed are in the database where several hubs share it, and in
memory where one process has the books to itself; migrations have the time that they took place;
only beside a cluster there are times of it."""
_OF_HEADS = {
    "commits": {"digest", "previous", "root", "signature"},
    "leaves": {"rows_digest", "digest"},
}
_NAMES_OF_BOOKS = "cluster_books"

_TABLES = {
    "sqlite": "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
    "postgresql": "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'",
}
_NAMES = {
    "sqlite": "SELECT name FROM pragma_table_info(?) ORDER BY name",
    "postgresql": "SELECT column_name FROM information_schema.columns"
    " WHERE table_schema = 'public' AND table_name = ? ORDER BY column_name",
}


def _all_rows(tx: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    tables = {name for (name,) in tx.rows(_TABLES[tx.dialect])} - _OF_ONE_ENGINE
    for table in sorted(tables):
        names = sorted(name for (name,) in tx.rows(_NAMES[tx.dialect], (table,)))
        rows = tx.rows(f"SELECT {', '.join(names)} FROM {table}")
        covering = _OF_HEADS.get(table, set())
        found[table] = sorted(
            [_row(names, row, covering) for row in rows if _NAMES_OF_BOOKS not in row],
            key=lambda row: (repr(blurred(row)), repr(row)),
        )
    return found


def _row(names: list[str], row: Any, covering: set[str]) -> list[Any]:
    told = zip(names, map(_plain, row), strict=True)
    return [(name, OfHeads(value) if name in covering else repr(value)) for name, value in told]


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


class Hubs:
    """One hub on each engine."""

    def __init__(self, folder: Path, server: PostgresServer) -> None:
        self.clock = HandClock()
        self.asked = 0
        self._places = contextlib.ExitStack()
        self._hubs: list[OneHub] = []
        for place, (name, engine) in enumerate(ENGINES.items()):
            told = self._places.enter_context(engine(server))
            config = _config(folder / str(place), told.books)
            self._keys(folder, config)
            self._hubs.append(OneHub(name, config, told, self.clock))

    def _keys(self, folder: Path, config: Config) -> None:
        first = folder / "0"
        if str(first) == config.folder:
            key_ring(config).create()
        else:
            shutil.copytree(first / "keys", Path(config.folder) / "keys")

    async def open(self) -> None:
        """Open all of them."""
        for hub in self._hubs:
            await hub.open()
            hub.luck.seed("after the name for a cluster was drawn")

    async def close(self) -> None:
        """Close all of them, and be rid of their books."""
        for hub in self._hubs:
            if hub.hub is not None:
                await hub.hub.close()
        self._places.close()

    @property
    def identity(self) -> str:
        """What all of them are called."""
        return self._hubs[0].hub.ctx.identity.hub

    async def restart(self, fees: dict[str, FeeSettings] | None = None) -> None:
        """Stop all of them and start them again, perhaps with other fees."""
        for hub in self._hubs:
            await hub.hub.close()
            if fees is not None:
                hub.config = msgspec.structs.replace(hub.config, fees=fees)
            await hub.open()

    def draw_otherwise(self, engine: str) -> None:
        """Let the one on this engine draw other ids than the rest from here on."""
        [hub] = [hub for hub in self._hubs if hub.engine == engine]
        hub.luck.seed("another")

    async def look(self) -> int:
        """Have all of them see what is due."""
        return self._same("what was due", [await hub.hub.worker.look() for hub in self._hubs])

    async def ask(self, ask: Ask) -> Answer:
        """Ask all of them, and give the one answer."""
        self.asked += 1
        answers = await asyncio.gather(*(hub.ask(ask) for hub in self._hubs))
        return self._same(ask, answers)

    async def compare_heads(self) -> None:
        """Compare how the books stand."""
        self._same("head", [await hub.newest() for hub in self._hubs])

    async def compare(self) -> Report:
        """Compare audits, heads and every row of every table."""
        report = self._same("audit", [await hub.audit() for hub in self._hubs])
        kept = [await hub.rows() for hub in self._hubs]
        self._same("tables", [list(rows) for rows in kept])
        for table in kept[0]:
            for told in zip_longest(*(rows[table] for rows in kept)):
                self._same(f"a row of {table}", told)
        return report

    def _same(self, what: Any, told: Sequence[Any]) -> Any:
        for hub, its in zip(self._hubs, told, strict=True):
            see = blurred if hub.cluster is not None else _as_it_is
            first, other = see(told[0]), see(its)
            if other != first:
                first, here = _apart(repr(first), repr(other))
                shown = f"{self._hubs[0].engine}:\n  {first}\n{hub.engine}:\n  {here}"
                raise Differs(f"request {self.asked}, {what}\n{shown}")
        return told[0]


def _as_it_is(told: Any) -> Any:
    return told


def _apart(first: str, other: str) -> tuple[str, str]:
    """Give of two long texts what stands around where they part."""
    pairs = zip(first, other, strict=False)
    place = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(first), len(other)))
    around = slice(max(0, place - 200), place + 300)
    return first[around], other[around]


def _config(folder: Path, books: BooksSettings) -> Config:
    folder.mkdir(parents=True)
    return Config(folder=str(folder), books=books, limits=_LIMITS)


def read(answer: Answer) -> Any:
    """Read an answer's JSON."""
    return json.loads(answer.body) if answer.body else {}
