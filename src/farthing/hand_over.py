"""Who writes the books of a hub that serves: itself, a process beside it, or one for several."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from farthing.books.door import Door, Joined
from farthing.books.own_process import OwnProcess, Setup
from farthing.books.sql import SqlBooks
from farthing.books.writing import OnBatch
from farthing.core.chain import Head
from farthing.keys import Signer
from farthing.services.context import Context
from farthing.settings import Config
from farthing.store.sqlite import SqliteDatabase


async def join_writer(
    books: SqlBooks, ctx: Context, config: Config, signer: Signer, door: Door, told: Sequence[Any]
) -> None:
    """Have everything written, from here on, by the process that does so for several hubs.

    Shape: `told` hears of each commit, and of a head that could not be noted.
    """
    if isinstance(ctx.database, SqliteDatabase):
        joined = Joined(_setup(config, ctx.database, signer), ctx.clock, door, *told)
        await joined.start()
        books.hand_over(joined)
        ctx.database.ask_once = joined.use_once


async def start_writer(
    books: SqlBooks,
    ctx: Context,
    config: Config,
    signer: Signer,
    on_head: Callable[[Head], None],
    on_batch: OnBatch,
) -> None:
    """Have everything written, from here on, by a process beside this one, if there is room."""
    if isinstance(ctx.database, SqliteDatabase) and _has_room(config):
        setup = _setup(config, ctx.database, signer)
        process = OwnProcess(setup, ctx.clock, on_head, on_batch)
        await process.start()
        books.hand_over(process)


def _has_room(config: Config) -> bool:
    """Tell whether the books are written by a process of their own: not beside a cluster."""
    if config.books.engine != "sqlite":
        return False
    if config.books.own_process == "auto":
        return len(os.sched_getaffinity(0)) > 1 if hasattr(os, "sched_getaffinity") else True
    return config.books.own_process == "always"


def _setup(config: Config, database: SqliteDatabase, signer: Signer) -> Setup:
    path, heads = config.path(config.books.path), config.path(config.audit.heads_path)
    log_settings = (config.log.format, config.log.level)
    risk = msgspec.to_builtins(config.risk)
    return Setup(str(path), database.lock, signer, log_settings, heads=str(heads), risk=risk)
