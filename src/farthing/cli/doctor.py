"""`farthing doctor`: what is wrong here, what may go wrong, and what to do about it."""

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from farthing.cli.configuring import found_faults
from farthing.cli.looks import Finding, Look, books, clock, disk, machine, models, network
from farthing.cli.options import ConfigOption
from farthing.config import config_file, load_config
from farthing.errors import FarthingError
from farthing.opening import key_ring
from farthing.settings import Config
from farthing.terminal.exits import Exit
from farthing.terminal.frame import Answer
from farthing.terminal.tables import columns
from farthing.web.price_file import price_text, read_prices

_MARKS = {"ok": "✓", "warn": "!", "fail": "✗"}
_BEFORE: list[Look] = [
    machine.python,
    clock.clock,
    clock.synchronised,
    machine.open_files,
    machine.purse,
    network.listening,
]
_OF_A_HUB: list[Look] = [machine.keys, disk.disk, books.books, books.heads, models.models]
_BY_ASKING: list[Look] = [network.hub, network.public_url]


def doctor(
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask nobody: not our hub, not its public URL.")
    ] = False,
    prices: Annotated[Path | None, typer.Option(help="A price file to look at too.")] = None,
    config: ConfigOption = None,
) -> Answer:
    """Look at everything a hub stands on, and say what to do where it is not right.

    Exits with 6 if something must be mended. Nothing is changed. Nobody is asked but this hub, its
    database, and whoever answers at its public URL.

    Example: farthing doctor --offline --prices prices.toml
    """
    path = config_file(config, os.environ)
    faults = list(found_faults(path, os.environ))
    found = [Finding("configuration", "fail", fault, "mend it first") for fault in faults]
    if not faults:
        loaded = load_config(config)
        looks = [*_BEFORE, *(_OF_A_HUB if key_ring(loaded).exists else [_no_hub])]
        looks += [] if offline or not key_ring(loaded).exists else _BY_ASKING
        for look in looks:
            found += _safely(look, loaded)
        if prices is not None:
            found += _safely(lambda c: _prices(c, prices), loaded)
    worst = Exit.NOT_VALID if any(f.state == "fail" for f in found) else Exit.OK
    return Answer([asdict(f) for f in found], _lines, worst)


def _lines(found: list[dict[str, Any]]) -> Iterator[str]:
    rows = ((f"{_MARKS[f['state']]} {f['state']}", f["what"], f["seen"]) for f in found)
    for line, f in zip(columns(rows), found, strict=True):
        yield line
        if f["do"] and f["state"] != "ok":
            yield f"        → {f['do']}"


def _safely(look: Look, config: Config) -> list[Finding]:
    """Look; what keeps us from looking is a finding too, and what was seen before it stays."""
    found: list[Finding] = []
    what = getattr(look, "__name__", "").strip("_").replace("_", " ")
    try:
        found.extend(look(config))
    except FarthingError as error:
        hint = str(error.problem().get("hint", ""))
        found.append(Finding(what, "fail", error.detail, hint))
    except OSError as fault:
        seen = f"{fault.filename or ''}: {fault.strerror or fault}"
        found.append(Finding(what, "fail", seen, "check that it exists and is ours"))
    except Exception as fault:  # What cannot be looked at must not hide the rest.
        seen = f"{type(fault).__name__}: {str(fault).strip().splitlines()[0] if str(fault) else ''}"
        found.append(Finding(what, "fail", seen, "run: farthing audit"))
    return found


def _no_hub(config: Config) -> Iterator[Finding]:
    where = key_ring(config).folder
    yield Finding(
        "keys", "fail", f"there are none in {where}: no hub was made here", "run: farthing init"
    )


def _prices(config: Config, file: Path) -> Iterator[Finding]:
    found = read_prices(price_text(file), config.asset_table(), str(file))
    yield Finding("prices", "ok", f"{len(found.offers)} offers in {file}")
