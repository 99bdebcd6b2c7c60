"""One seed's story: a hub, its payers, and what befalls them; then calm, then the books."""

import asyncio
import gc
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from simulation.checker import check
from simulation.faults import OFTEN, Faults
from simulation.hubs import HubMachine
from simulation.logs import Errors
from simulation.loop import SeededLoop, at_place
from simulation.misfortune import Misfortune
from simulation.settling import Settler
from simulation.stillness import STILL, processor_seconds, real_seconds
from simulation.town import Town

_SECONDS_MAX = 900.0
_REST_SECONDS = 45.0
_END_SECONDS = 1_000.0
"""So far the clock is put forward in the end: what was begun while it was ahead ends as well."""
_FREE_BYTES = (1 << 23, 1 << 24, 1 << 26)
"""How much room the disk says it has: the less, the more often SQLite's log is brought home."""


@dataclass(slots=True)
class Told:
    """What a story came to."""

    seed: int
    digest: str
    operations: int
    story_seconds: float
    real_seconds: float
    processor_seconds: float
    steps: int
    faults: dict[str, int] = field(default_factory=dict[str, int])
    wrong: list[str] = field(default_factory=list[str])


class Story:
    """Everything of one seed."""

    def __init__(self, seed: int, operations: int, folder: Path) -> None:
        self.seed = seed
        self.loop = SeededLoop(Random(f"loop {seed}"))
        STILL.begin(seed, self.loop.time)
        self.luck = Random(f"story {seed}")
        STILL.free_bytes = self.luck.choice(_FREE_BYTES)
        self.faults = Faults(Random(f"faults {seed}"), OFTEN)
        self.town = Town(seed, operations, self.loop, self.faults)
        self.hub = HubMachine("hub", folder, self.loop, Random(f"hub {seed}"), self)
        self.wrong: list[str] = []
        self._over: asyncio.Future[None] = self.loop.create_future()

    async def run(self) -> None:
        """Tell it to its end, or to where it cannot go on."""
        self.loop.call_later(_SECONDS_MAX, self.doomed, "somebody is never answered")
        telling = self.loop.create_task(self._tell())
        await asyncio.wait((telling, self._over), return_when=asyncio.FIRST_COMPLETED)
        if telling.done() and (fault := telling.exception()) is not None:
            self.wrong.append(f"somebody could not go on: {fault!r}")

    async def _befall(self) -> None:
        try:
            await Misfortune(self.town, self.hub, self.luck).run()
        except Exception as fault:
            self.doomed(f"the hub could not be stopped or started: {fault!r}")

    def doomed(self, why: str) -> None:
        """End it here."""
        self.wrong.append(why)
        if not self._over.done():
            self._over.set_result(None)

    def ended(self, kind: str, *, waiting: int, unsynced: int) -> None:
        """Note that a hub ended."""
        self.town.note("ended", kind=kind, waiting=waiting, unsynced=unsynced)
        if waiting or unsynced or kind.endswith("writing"):
            self.faults.count(kind)

    def befell(self, kind: str) -> None:
        """Note a fault that changed something."""
        self.town.note("befell", kind=kind)
        self.faults.count(kind)

    async def _tell(self) -> None:
        """Settle, let everything happen, let it come to rest."""
        await self.hub.open()
        people = await Settler(self.town, self.hub).people()
        self.faults.calm = False
        work = [self.loop.create_task(one.run(), context=at_place(one.name)) for one in people]
        befalling = self.loop.create_task(self._befall())
        while self.town.wants_more():
            await asyncio.sleep(0.2)
        self.faults.calm = True
        self.hub.disk.spare()
        await asyncio.gather(*work)
        befalling.cancel()
        self.hub.disk.spare()
        await self.hub.up()
        self.hub.skew_seconds = _END_SECONDS
        await asyncio.sleep(_REST_SECONDS)  # What is late comes, and what runs out has run out.
        await self.hub.close()


def tell(seed: int, operations: int) -> Told:
    """Run a seed, and check what came of it."""
    began, worked = real_seconds(), processor_seconds()
    warnings.simplefilter("ignore", RuntimeWarning)  # Who is dropped awaits nothing any more.
    gc.disable()
    with tempfile.TemporaryDirectory(dir=_memory()) as name, Errors() as errors:
        folder = Path(name)
        story = Story(seed, operations, folder)
        try:
            story.loop.run(story.run())
            story.faults.counted["clock-behind"] += errors.clock_behind
            told = _checked(story, folder)
        finally:
            story.hub.disk.unregister()
            story.loop.close()
    told.wrong += [f"the hub's log: {line}" for line in errors.lines]
    told.wrong += [f"nobody caught: {fault}" for fault in story.loop.faults]
    gc.enable()
    gc.collect()
    told.real_seconds = real_seconds() - began
    told.processor_seconds = processor_seconds() - worked
    return told


def _checked(story: Story, folder: Path) -> Told:
    books = folder / "books.db"
    for ending in ("", "-wal"):
        content = story.hub.disk.content(story.hub.books + ending)
        books.with_name(books.name + ending).write_bytes(content)
    town = story.town
    return Told(
        seed=story.seed,
        digest=town.history.digest,
        operations=town.operations,
        story_seconds=story.loop.time(),
        real_seconds=0.0,
        processor_seconds=0.0,
        steps=story.loop.steps,
        faults=dict(story.faults.counted),
        wrong=[*story.wrong, *check(town.history.lines, books)],
    )


def _memory() -> str | None:
    place = Path("/dev/shm")
    return str(place) if place.is_dir() else None
