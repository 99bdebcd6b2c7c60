"""`farthing config`: what is set, where it comes from, and every fault at once."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from farthing.bounded import read_file, read_text
from farthing.cli.options import ConfigOption
from farthing.config import config_file, load_config, setting_faults
from farthing.config_lines import place
from farthing.errors import BadConfig
from farthing.risk.settings import judges_of
from farthing.settings import SECTIONS, FeeSettings
from farthing.terminal.exits import Exit
from farthing.terminal.frame import Answer, command
from farthing.terminal.tables import columns

config_app = typer.Typer(help="The configuration.", no_args_is_help=True)
_MAY_HOLD_A_SECRET = ("books.dsn",)


@command(config_app, "check")
def check(
    file: Annotated[Path | None, typer.Argument(help="The file [the hub's own].")] = None,
    config: ConfigOption = None,
) -> Answer:
    """Look for every fault in file and environment, not only the first.

    Example: farthing config check /etc/farthing/farthing.toml
    """
    path = config_file(file or config, os.environ)
    if (file or config) and not path.exists():
        raise BadConfig("config-missing", f"there is no file {path}")
    faults = list(found_faults(path, os.environ))
    told = {"file": str(path), "ok": not faults, "faults": faults}
    if not faults:
        return Answer(told, lambda _: [f"ok: {path}"])
    return Answer(told, lambda _: faults, Exit.NOT_VALID)


def found_faults(path: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Name every fault: unreadable TOML, unknown names, values out of place, and what is unsafe."""
    text = read_file(path).decode("utf-8", "replace") if path.exists() else ""
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as fault:
        yield f"{path}: {fault}"
        return
    faults = list(setting_faults(content, environ))
    for section, key, what in faults:
        yield f"{place(path, section, key) if section else 'the environment'}: {what}"
    if not faults:
        try:
            judges_of(load_config(path if path.exists() else None, environ).risk)
        except BadConfig as fault:
            yield fault.detail


@command(config_app, "show")
def show(config: ConfigOption = None) -> Answer:
    """Show every setting, its value and where it comes from; passwords are hidden.

    Example: farthing config show
    """
    loaded = load_config(config)
    path = config_file(config, os.environ)
    content = tomllib.loads(read_text(path)) if path.exists() else {}
    rows = [
        {
            "setting": f"{section}.{field}",
            "value": _shown(f"{section}.{field}", getattr(getattr(loaded, section), field)),
            "from": _origin(section, field, content, path),
        }
        for section, settings in SECTIONS.items()
        for field in settings.__struct_fields__
    ]
    for section in ("assets", "fees"):
        value = msgspec.to_builtins(getattr(loaded, section))
        origin = _origin_of(section, content, path)
        rows.append({"setting": section, "value": value, "from": origin})
    return Answer(
        rows,
        lambda told: columns(
            (r["setting"], msgspec.json.encode(r["value"]).decode(), r["from"]) for r in told
        ),
    )


def _shown(setting: str, value: Any) -> Any:
    """Hide the whole of what may hold a password: there are too many ways to write one."""
    return "[hidden]" if setting in _MAY_HOLD_A_SECRET and value else value


def _origin(section: str, field: str, content: Mapping[str, Any], path: Path) -> str:
    name = f"FARTHING_{section}_{field}".upper()
    if name in os.environ:
        return f"${name}"
    return str(path) if field in content.get(section, {}) else "default"


def _origin_of(section: str, content: Mapping[str, Any], path: Path) -> str:
    return str(path) if section in content else "default"


@command(config_app, "example", lines=lambda told: [told["toml"]])
def example() -> dict[str, str]:
    """Print a farthing.toml with every setting, its meaning and its default.

    Example: farthing config example > farthing.toml
    """
    return {"toml": "\n".join(_example())}


def _example() -> Iterator[str]:
    for section, settings in SECTIONS.items():
        yield f"[{section}]"
        for field in msgspec.structs.fields(settings):
            note = next(n for n in field.type.__metadata__ if getattr(n, "description", None))
            default: Any = [] if field.default is msgspec.NODEFAULT else field.default
            yield f"# {note.description}"
            yield f"# {field.name} = {msgspec.json.encode(default).decode()}"
        yield ""
    yield "[assets]"
    yield "# codes, and how many decimals their smallest unit has"
    yield "USD = 6"
    yield "EUR = 6"
    yield ""
    yield "# [fees.USD]"
    for field in msgspec.structs.fields(FeeSettings):
        note = next(n for n in field.type.__metadata__ if getattr(n, "description", None))
        default = "acc_…" if field.required else field.default
        yield f"# # {note.description}"
        yield f"# {field.name} = {msgspec.json.encode(default).decode()}"
