"""One seed's story: a hub, its payers, and what befalls them; then calm, then the books."""

import asyncio
import contextlib
import gc
import sys
import tempfile
import warnings
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from simulation.checker import check
from simulation.faults import OFTEN, Faults
from simulation.hubs import HubMachine
from simulation.judging import judging_of
from simulation.logs import Errors
from simulation.loop import SeededLoop, at_place
from simulation.misfortune import Misfortune
from simulation.settling import Person, Settler
from simulation.stillness import STILL, processor_seconds, real_seconds
from simulation.town import Town

_HUBS = ("hub", "other hub")
_SECONDS_MAX = 900.0
_REST_SECONDS = 45.0
_SILENT_SECONDS, _END_SECONDS, _BREATH_SECONDS = 1_500.0, 3_000.0, 5.0
"""So far the clock is put forward in the end: what was begun or asked while it was ahead ends,
and then what is held since somebody's silence was a yes.
"""
_FREE_BYTES = (1 << 23, 1 << 24, 1 << 26, 1 << 28)
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
        self.hubs = [self._hub(name, folder / name) for name in _HUBS]
        self.hubs[0].other, self.hubs[1].other = self.hubs[1], self.hubs[0]
        self.wrong: list[str] = []
        self._over: asyncio.Future[None] = self.loop.create_future()

    def _hub(self, name: str, folder: Path) -> HubMachine:
        folder.mkdir()
        judging = judging_of(Random(f"{name} judges {self.seed}"))
        luck = Random(f"{name} {self.seed}")
        return HubMachine(name, folder, self.loop, luck, self, judging)

    async def run(self) -> None:
        """Tell it to its end, or to where it cannot go on."""
        self.loop.call_later(_SECONDS_MAX, self.doomed, "somebody is never answered")
        telling = self.loop.create_task(self._tell())
        await asyncio.wait((telling, self._over), return_when=asyncio.FIRST_COMPLETED)
        if telling.done() and (fault := telling.exception()) is not None:
            self.wrong.append(f"somebody could not go on: {fault!r}")

    async def _befall(self, hub: HubMachine) -> None:
        try:
            await Misfortune(self.town, hub, self.luck).run()
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
        people: list[Person] = []
        for hub in self.hubs:
            await hub.open()
            if hub.judging is not None:
                self.town.note("judges", hub=hub.name, **hub.judging._asdict())
            people += await Settler(self.town, hub).people(with_fee=hub is self.hubs[0])
        self.faults.calm = False
        work = [self.loop.create_task(one.run(), context=at_place(one.name)) for one in people]
        befalling = [self.loop.create_task(self._befall(hub)) for hub in self.hubs]
        while self.town.wants_more():
            await asyncio.sleep(0.2)
        self.faults.calm = True
        self._spare()
        await asyncio.gather(*work)
        for one in befalling:
            one.cancel()
        self._spare()
        for seconds in (_SILENT_SECONDS, _END_SECONDS):
            for hub in self.hubs:
                await hub.up()
                hub.skew_seconds = seconds
            await asyncio.sleep(_BREATH_SECONDS)
        await asyncio.sleep(_REST_SECONDS)  # What is late comes, and what runs out has run out.
        for hub in self.hubs:
            await hub.close()

    def _spare(self) -> None:
        for hub in self.hubs:
            hub.disk.spare()


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
            for hub in story.hubs:
                hub.disk.unregister()
            story.loop.close()
    told.wrong += [f"the hub's log: {line}" for line in errors.lines]
    told.wrong += [f"nobody caught: {fault}" for fault in story.loop.faults]
    with _quietly():
        story.loop.forget()
        gc.enable()
        gc.collect()
    told.real_seconds = real_seconds() - began
    told.processor_seconds = processor_seconds() - worked
    return told


def _checked(story: Story, folder: Path) -> Told:
    wrong = [*story.wrong, *story.town.network.wrong]
    for hub in story.hubs:
        books = folder / f"{hub.name}.db"
        for ending in ("", "-wal"):
            content = hub.disk.content(hub.books + ending)
            books.with_name(books.name + ending).write_bytes(content)
        wrong += check(story.town.history.of(hub.name), books)
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
        wrong=wrong,
    )


@contextlib.contextmanager
def _quietly() -> Generator[None]:
    """Let go of who was dropped in a crash: what their `finally` cannot do now tells nothing."""
    hook, sys.unraisablehook = sys.unraisablehook, _pass_over
    try:
        yield
    finally:
        sys.unraisablehook = hook


def _pass_over(_fault: object) -> None:
    pass


def _memory() -> str | None:
    place = Path("/dev/shm")
    return str(place) if place.is_dir() else None
