"""One seed's story: a hub, its payers, and what befalls them; then calm, then the books."""

import asyncio
import gc
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from simulation import settling
from simulation.buyers import Buyer
from simulation.checker import check
from simulation.faults import Faults
from simulation.hubs import HubMachine
from simulation.logs import Errors
from simulation.loop import SeededLoop, at_place
from simulation.stillness import STILL, real_seconds
from simulation.town import Town

_FUNDS = 3_000
_OFTEN = {
    "request-lost": 0.02,
    "answer-lost": 0.02,
    "request-doubled": 0.02,
    "request-late": 0.01,
    "answer-late": 0.01,
}
_ENDS = ("killed", "power-cut")
_BETWEEN_ENDS_SECONDS = 1.0
_SECONDS_MAX = 7200.0


@dataclass(slots=True)
class Told:
    """What a story came to."""

    seed: int
    digest: str
    operations: int
    story_seconds: float
    real_seconds: float
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
        self.faults = Faults(Random(f"faults {seed}"), _OFTEN)
        self.town = Town(seed, operations, self.loop, self.faults)
        self.hub = HubMachine(
            "hub", folder, self.loop, Random(f"hub {seed}"),
            on_end=self._ended, on_doom=self._doomed,
        )  # fmt: skip
        self.wrong: list[str] = []
        self._over: asyncio.Future[None] = self.loop.create_future()

    async def run(self) -> None:
        """Tell it to its end, or to where it cannot go on."""
        self.loop.call_later(_SECONDS_MAX, self._doomed, "somebody is never answered")
        telling = self.loop.create_task(self._tell())
        await asyncio.wait((telling, self._over), return_when=asyncio.FIRST_COMPLETED)
        if telling.done():
            telling.result()

    def _doomed(self, why: str) -> None:
        self.wrong.append(why)
        if not self._over.done():
            self._over.set_result(None)

    async def _tell(self) -> None:
        """Settle, let everything happen, let it come to rest."""
        await self.hub.open()
        buyers = await self._settle()
        self.faults.calm = False
        work = [self.loop.create_task(one.run(), context=at_place(one.name)) for one in buyers]
        ending = self.loop.create_task(self._end_now_and_then())
        while self.town.wants_more():
            await asyncio.sleep(0.5)
        self.faults.calm = True
        self.hub.disk.spare()
        await asyncio.gather(*work)
        ending.cancel()
        await self.hub.up()
        await asyncio.sleep(60)  # Whatever is late comes, and what runs out has run out.
        await self.hub.close()

    async def _settle(self) -> list[Buyer]:
        town, hub = self.town, self.hub
        town.hub_id = hub.identity
        shop = await settling.account(town, hub, await settling.owner(town, hub, "shop"))
        buyers: list[Buyer] = []
        for number in range(8):
            of = await settling.owner(town, hub, f"owner {number}")
            purse = await settling.account(town, hub, of, _FUNDS)
            permitted = await settling.mandate(town, hub, of)
            device = await settling.device(town, hub, purse, permitted, self.luck)
            buyers.append(Buyer(f"buyer {number}", town, hub, device, shop))
        return buyers

    async def _end_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self.luck.expovariate(1 / _BETWEEN_ENDS_SECONDS))
            if self.faults.calm or self.hub.hub is None:
                continue
            kind = self.luck.choice(_ENDS)
            if self.luck.random() < 0.5:
                self.hub.disk.end_at(self.luck.randrange(1, 60), kind)
            else:
                self.hub.end(kind)

    def _ended(self, kind: str, _hub: HubMachine, unsynced: int, waiting: list[Any]) -> None:
        self.town.history.note(self.loop.time(), "ended", kind=kind, waiting=len(waiting))
        if waiting or (unsynced and kind == "power-cut"):
            self.faults.count(kind)


def tell(seed: int, operations: int) -> Told:
    """Run a seed, and check what came of it."""
    began = real_seconds()
    gc.disable()
    with tempfile.TemporaryDirectory(dir=_memory()) as name, Errors() as errors:
        folder = Path(name)
        story = Story(seed, operations, folder)
        try:
            story.loop.run(story.run())
            told = _checked(story, folder)
        finally:
            story.hub.disk.unregister()
            story.loop.close()
    told.wrong += [f"the hub's log: {line}" for line in errors.lines]
    told.wrong += [f"nobody caught: {fault}" for fault in story.loop.faults]
    told.real_seconds = real_seconds() - began
    gc.enable()
    gc.collect()
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
        steps=story.loop.steps,
        faults=dict(story.faults.counted),
        wrong=[*story.wrong, *check(town.history.lines, books)],
    )


def _memory() -> str | None:
    place = Path("/dev/shm")
    return str(place) if place.is_dir() else None
