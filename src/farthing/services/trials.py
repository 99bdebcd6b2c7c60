"""Rules tried on the past beside a running hub: one trial at a time, in steps with rests between.

What is tried is noted in a file beside the books, how far it is as well: whichever of several
processes is asked can tell, and what was found last is there after a restart.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Annotated, Literal

import msgspec
import structlog

from farthing.bounded import read_file
from farthing.clock import NS
from farthing.errors import Conflict, FarthingError, Malformed
from farthing.risk.days import DAYS
from farthing.risk.known import DAY
from farthing.services.backtest import Backtest, Replay, Rules, said_of
from farthing.services.context import Context
from farthing.store.past_orders import InTime, PastOrder, Stretch, newest_since, page_after

log = structlog.get_logger()

DAYS_MAX = 90
ORDERS_MAX = 100_000
"""Of how many orders at most, the newest: a minute or so with rests, for models take their time."""

STEP = 200
_REST = 4
"""For each second of work, so many of rest: payments share the interpreter."""

_TOLD_EVERY_SECONDS = 0.5
LOST_SECONDS = 60
"""A trial that has not been heard of for so long has ended with its process."""

_BYTES_MAX = 1 << 20
_Text = Annotated[str, msgspec.Meta(max_length=8000)]


class Asked(msgspec.Struct, frozen=True):
    """What somebody wants to know. Units: `at` is Unix seconds.

    Shape: `rules` are the text of a `[risk]`, or nothing for those that the hub has.
    """

    by: str
    at: int
    days: Annotated[int, msgspec.Meta(ge=1, le=DAYS_MAX)]
    rules: _Text = ""


class Trial(msgspec.Struct, frozen=True):
    """How far a trial is, or what was found.

    Units: `heard` is Unix seconds. Shape: `read` of `orders` were replayed; they are not the whole
           of the days where there are more than `ORDERS_MAX`.
    """

    asked: Asked
    state: Literal["running", "done", "failed"]
    heard: int
    read: int = 0
    orders: int = 0
    is_whole: bool = True
    fault: str = ""
    found: Backtest | None = None


class Trials:
    """Tries rules, and says what was tried last."""

    def __init__(self, ctx: Context, file: Path, rest: float = _REST) -> None:
        self._ctx, self._file, self._rest = ctx, file, rest
        self._task: asyncio.Task[None] | None = None

    def last(self) -> Trial | None:
        """Tell of the trial that runs, or that was the last; None before the first."""
        try:
            trial = msgspec.json.decode(read_file(self._file, _BYTES_MAX), type=Trial)
        except (OSError, ValueError, Malformed, RecursionError):
            return None
        if trial.state == "running" and self._ctx.now_s() > trial.heard + LOST_SECONDS:
            return msgspec.structs.replace(trial, state="failed", fault="its process has ended")
        return trial

    def start(self, asked: Asked, rules: Rules) -> None:
        """Begin a trial.

        Raises: Conflict `backtest-running`.
        """
        last = self.last()
        if last is not None and last.state == "running":
            raise Conflict("backtest-running", "one is tried already; wait until it has ended")
        self._note(Trial(asked, "running", self._ctx.now_s()))
        self._task = asyncio.create_task(self._run(asked, rules))

    async def stop(self) -> None:
        """Give up what is tried."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, asked: Asked, rules: Rules) -> None:
        run = _Run(self._ctx, asked, rules, self._rest, self._note)
        try:
            await run.go()
        except asyncio.CancelledError:
            self._note(run.trial("failed", fault="the hub was stopped"))
            raise
        except FarthingError as fault:
            self._note(run.trial("failed", fault=str(fault)))
        except Exception as fault:
            log.exception("risk.backtest_failed")
            self._note(run.trial("failed", fault=repr(fault)))

    def _note(self, trial: Trial) -> None:
        draft = self._file.with_suffix(".draft")
        try:  # It need not outlive a loss of power, so nothing is synced.
            draft.touch(0o600)
            draft.write_bytes(msgspec.json.encode(trial))
            draft.replace(self._file)
        except OSError as fault:
            log.error("risk.backtest_not_noted", why=str(fault))


class _Run:
    """One trial while it goes on."""

    def __init__(
        self,
        ctx: Context,
        asked: Asked,
        rules: Rules,
        rest: float,
        note: Callable[[Trial], None],
    ) -> None:
        self._ctx, self._asked, self._rules = ctx, asked, rules
        self._rest, self._note = rest, note
        self._replay: Replay | None = None
        self._stretch = Stretch("", 0, 0, is_whole=True)
        self._read, self._told = 0, 0.0

    def trial(self, state: Literal["running", "done", "failed"], fault: str = "") -> Trial:
        """Tell how far it is."""
        found = self._replay.found() if self._replay is not None and state == "done" else None
        stretch = self._stretch
        return Trial(
            self._asked, state, self._ctx.now_s(), self._read, stretch.orders, stretch.is_whole,
            fault, found,
        )  # fmt: skip

    async def go(self) -> None:
        """Replay the days, and as many before them as habits are made of."""
        since = self._asked.at - self._asked.days * DAY
        begins_ms = max(0, since - DAYS * DAY) * 1000
        read = self._ctx.database.read
        stretch = self._stretch = await read(lambda tx: newest_since(tx, begins_ms, ORDERS_MAX))
        said = await read(lambda tx: said_of(tx, stretch.after, stretch.leaf))
        replay = self._replay = Replay(self._rules, said, since * NS)
        in_time, zones, after = InTime(), dict[str, str](), stretch.after
        while page := await read(lambda tx, after=after: page_after(tx, after, zones, STEP)):
            after = page[-1].payment
            await self._take(lambda page=page: _add(replay, in_time, page))
            self._read += len(page)
            if self._read >= stretch.orders:
                break  # What came since is not waited for.
        await self._take(lambda: _rest(replay, in_time))
        self._note(self.trial("done"))

    async def _take(self, work: Callable[[], None]) -> None:
        """Work for a moment, and rest for several."""
        began = perf_counter()
        await asyncio.to_thread(work)
        await asyncio.sleep((perf_counter() - began) * self._rest)
        if perf_counter() - self._told >= _TOLD_EVERY_SECONDS:
            self._told = perf_counter()
            await asyncio.to_thread(self._note, self.trial("running"))


def _add(replay: Replay, in_time: InTime, page: list[PastOrder]) -> None:
    for order in page:
        for one in in_time.add(order):
            replay.add(one)


def _rest(replay: Replay, in_time: InTime) -> None:
    for one in in_time.rest():
        replay.add(one)
