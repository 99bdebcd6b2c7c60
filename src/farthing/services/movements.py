"""Top-ups and payouts by intend, act, record: whoever is killed between two of them loses nothing.

A movement that is under way is asked about by our own reference until the rail has said its last
word. What the rail does not know is sent again under that reference.
"""

import asyncio
from collections.abc import Mapping

from farthing.core.movements import MOVEMENTS, Conclude, Movement, Said
from farthing.errors import FarthingError, present
from farthing.log_lines import Log
from farthing.rails.base import Instruction, Rail, Report
from farthing.services.context import Context
from farthing.services.leases import Sole
from farthing.store.movements import looks_due
from farthing.store.queries import one
from farthing.tasks import end

log = Log("rails")

_EVERY_SECONDS = 1.0
_AT_ONCE = 50
_AGAIN_SECONDS, _AGAIN_SECONDS_MAX = 2, 3600


class Movements:
    """Asks rails, and records what they say."""

    def __init__(self, ctx: Context, rails: Mapping[str, Rail]) -> None:
        self._ctx, self.rails = ctx, rails
        self._going: set[asyncio.Task[None]] = set()

    def begin(self, ident: str) -> None:
        """Ask the rail about what was just intended, while its asker is answered already."""
        task = asyncio.create_task(self._stepped(ident, 0))
        self._going.add(task)
        task.add_done_callback(self._going.discard)

    async def _stepped(self, ident: str, attempts: int) -> None:
        try:
            await self.step(ident, attempts)
        except FarthingError as error:
            log.info("rails.postponed", code=error.code)
        except Exception as fault:
            log.error("rails.failed", fault=fault)

    async def step(self, ident: str, attempts: int) -> Movement:
        """Take a movement one step further."""
        found = await self._ctx.database.read(lambda tx: one(tx, MOVEMENTS, ident))
        movement = present(found, "a movement is kept")
        if movement.booked:
            return movement
        report = Report(movement.state) if movement.state.final else await self._ask(movement)
        seconds = min(_AGAIN_SECONDS * 2 ** min(attempts, 20), _AGAIN_SECONDS_MAX)
        unit = Conclude(
            ident, report.outcome, report.rail_reference, report.reason, again_seconds=seconds
        )
        return (await self._ctx.books.commit_one(unit)).answer

    async def _ask(self, movement: Movement) -> Report:
        """Look the movement up, and send it where the rail has never heard of it."""
        rail = self.rails.get(movement.rail)
        if rail is None:  # It was taken out of the configuration meanwhile.
            return Report(Said.UNKNOWN, reason="rail-off")
        try:
            report = await rail.look_up(movement.id)
            return report or await rail.send(_instruction(movement))
        except (OSError, TimeoutError, FarthingError) as fault:
            log.warning("rails.unclear", movement=movement.id, why=str(fault) or repr(fault))
            return Report(Said.UNKNOWN)

    async def look(self) -> int:
        """Take every movement that is due one step further, and tell how many there were.

        Shape: one that cannot be taken further keeps none of the others waiting.
        """
        now = self._ctx.clock()
        due = await self._ctx.database.read(lambda tx: looks_due(tx, now, _AT_ONCE))
        for look in due:
            await self._stepped(look.id, look.attempts)
        return len(due)

    async def quiet(self) -> None:
        """Wait until what was begun here has taken its first step."""
        await asyncio.gather(*self._going)

    async def close(self) -> None:
        """Leave what is under way to whoever comes next."""
        await end(*self._going)


class Clerk:
    """Looks after movements as long as a hub is served; one process of all does."""

    def __init__(self, ctx: Context, movements: Movements) -> None:
        self._movements, self._sole = movements, Sole(ctx, "rails")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, where there is a rail at all."""
        if self._movements.rails:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            await end(self._task)
            await self._sole.give_back()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            try:
                if await self._sole.mine():
                    await self._movements.look()
            except FarthingError as error:
                log.info("rails.postponed", code=error.code)
            except Exception as fault:
                log.error("rails.failed", fault=fault)


def _instruction(movement: Movement) -> Instruction:
    return Instruction(
        movement.id, movement.direction, movement.units, movement.asset, movement.place
    )
