"""A writer in a process of its own: the hub's event loop and the books need not share one
interpreter.

The process is started from the hub's own program, with one end of a socket pair and the writer's
lock, and ends by itself once the hub is gone. Should it be lost, what was under way has an outcome
that is not known, and the next batch starts another.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from farthing.books.base import Tx
from farthing.books.court import Recalled
from farthing.books.link import Link, Spawn, open_link, spawn_writer
from farthing.books.parcels import Units
from farthing.books.wire import RUN, Answered, Asked, Unsendable, pack, why_unsendable
from farthing.books.writing import OnBatch
from farthing.clock import Clock
from farthing.core.chain import Head
from farthing.core.decisions import Unit
from farthing.core.judgements import Ranked
from farthing.errors import OutcomeUnknown, Unavailable
from farthing.keys import Signer
from farthing.log_lines import Log

log = Log("books")


class Setup(NamedTuple):
    """What the process needs to begin: the file, the descriptor of its lock, the hub's key.

    Shape: `heads` is the file of heads, where the process notes them itself; `risk` is `[risk]`.
    """

    path: str
    lock: int | None
    signer: Signer
    log: tuple[str, str] | None = None
    chain: str = "main"
    heads: str | None = None
    risk: Mapping[str, Any] | None = None


class OwnProcess:
    """Writes in a process beside this one.

    Shape: used on one event loop; `spawn` starts the process with its end of a socket pair and the
           writer's lock.
    """

    joins = True
    """Or it would be idle whenever the event loop is busy with something else."""

    def __init__(
        self,
        setup: Setup,
        clock: Clock,
        on_head: Callable[[Head], None] | None = None,
        on_batch: OnBatch | None = None,
        spawn: Spawn | None = None,
        on_unnoted: Callable[[OSError], None] | None = None,
    ) -> None:
        self._setup, self._clock, self._spawn = setup, clock, spawn or spawn_writer
        self._on_head, self._on_batch, self._on_unnoted = on_head, on_batch, on_unnoted
        self._link: Link | None = None
        self._starting: asyncio.Task[Link] | None = None
        self.failing = False
        self.commits = 0

    @property
    def pid(self) -> int | None:
        """The process that writes now, if one does."""
        return self._link.process.pid if self._link is not None else None

    async def start(self) -> None:
        """Start the process, and wait until it has opened the books.

        Raises: Unavailable when it cannot; what it said is in the log.
        """
        await self._linked()

    def run(self, units: Sequence[Unit[Any]], since: float) -> "asyncio.Future[list[Any]]":
        """Decide and write units."""
        return asyncio.ensure_future(self._run(units, since))

    is_ahead = False

    def decide(self, unit: Unit[Any], since: float, waits: Callable[[Any], bool]) -> None:  # noqa: ARG002
        """Leave it to be run: to be asked by a message takes longer than to write."""
        return

    def finish(self) -> bool:
        """Have nothing to write."""
        return True

    async def tidy(self, work: Callable[[Tx], None]) -> None:
        """Delete what has run out. Shape: `work` can be pickled: a function that has a name."""
        await self.ask("tidy", work)

    async def probe(self) -> bool:
        """Try to write, and tell whether it works again."""
        try:
            return await self.ask("probe")
        except (Unavailable, OutcomeUnknown):
            return False

    async def recall(self, leaves: int) -> Recalled:
        """Read a step of the history that orders are judged by.

        Raises: Unavailable, OutcomeUnknown.
        """
        return await self.ask("recall", leaves)

    async def heed(self, ranked: Sequence[Ranked]) -> None:
        """Hear what a model found of orders that were answered.

        Raises: Unavailable, OutcomeUnknown.
        """
        await self.ask("heed", ranked)

    async def close(self) -> None:
        """Let the process end, and wait until it has."""
        if self._starting is not None:
            await asyncio.wait([self._starting])
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    async def _run(self, units: Sequence[Unit[Any]], since: float) -> list[Any]:
        try:
            return await self.ask(RUN, Units(units), since)
        except Unsendable:
            if len(units) == 1:
                raise
        # By a bug of ours some unit is no plain value: the others must not pay for it.
        faults = [why_unsendable(unit) for unit in units]
        plain = [unit for unit, fault in zip(units, faults, strict=True) if fault is None]
        answers = iter(await self.ask(RUN, plain, since) if plain else [])
        return [fault or next(answers) for fault in faults]

    async def ask(self, method: str, *arguments: Any) -> Any:
        """Ask the process to do something. Raises: what it does; Unavailable, OutcomeUnknown."""
        message = pack(Asked(method, arguments, self._clock()))
        try:
            link = await self._linked()
        except Unavailable:
            self.failing = True  # There is nobody to say so.
            raise
        answered = await link.ask(message)
        if answered.fault is not None:
            raise answered.fault
        return answered.result

    async def _linked(self) -> "Link":
        if self._link is not None and not self._link.is_lost:
            return self._link
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
            self._starting.add_done_callback(self._started)
        return await asyncio.shield(self._starting)

    def _started(self, task: "asyncio.Task[Link]") -> None:
        self._starting = None
        if not task.cancelled() and task.exception() is None:
            self._link = task.result()

    async def _start(self) -> "Link":
        if self._link is not None:
            await self._link.close()  # Two must never write at once.
            if self._link.process.returncode is not None:  # Else who started it tells of it.
                log.warning("books.writer_lost", code=self._link.process.returncode)
        try:
            link = await open_link(self._spawn, self._setup.lock, self._tell)
        except OSError as fault:
            raise Unavailable("store-unavailable", "the writing process cannot start") from fault
        try:
            begun = await link.ask(pack(Asked("begin", self._setup, self._clock())))
        except OutcomeUnknown:
            await link.close()
            raise Unavailable("store-unavailable", "the writing process ended at once") from None
        if begun.fault is not None:
            await link.close()
            raise begun.fault
        return link

    def _tell(self, answered: Answered) -> None:
        self.failing = answered.failing
        self.commits += len(answered.heads)
        for head in answered.heads:
            self._hear(self._on_head, head)
        for commit in answered.commits:
            self._hear(self._on_batch, *commit)
        for fault in answered.unnoted:
            self._hear(self._on_unnoted, fault)

    def _hear(self, told: Callable[..., None] | None, *facts: Any) -> None:
        if told is None:
            return
        try:
            told(*facts)
        except Exception as fault:
            # The commit is durable; who only watches cannot undo that.
            log.error("books.not_counted", fault=fault)
