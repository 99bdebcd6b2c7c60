"""Ends what runs beside us."""

import asyncio


async def end(*tasks: asyncio.Task[None] | asyncio.Future[None] | None) -> None:
    """Cancel tasks, and wait until they have ended; None is none.

    Raises: what the first of them failed of, once all have ended; CancelledError only where the
    caller itself is cancelled meanwhile.
    """
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)
    for task in running:
        if not task.cancelled() and (fault := task.exception()) is not None:
            raise fault
