"""Configuration from `farthing.toml` and the environment; an unknown key is an error.

The file is `$FARTHING_CONFIG`, or `farthing.toml` in the hub's folder; that folder is
`$FARTHING_HOME/hub`, by default `~/.farthing/hub`. Paths in the file are relative to the file.
A variable such as `FARTHING_SERVER_PORT` overrides `[server] port`.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, cast, get_origin

import msgspec

from farthing.bounded import read_text
from farthing.config_lines import place
from farthing.errors import BadConfig, FarthingError, Malformed
from farthing.misfits import misfit
from farthing.settings import SECTIONS, SOME_ACCOUNT, Config, FeeSettings

_KNOWN = [name for name in Config.__struct_fields__ if name not in ("folder", "file")]


def home_folder(environ: Mapping[str, str]) -> Path:
    """Give the folder under which everything of this user is kept."""
    return Path(environ.get("FARTHING_HOME") or Path.home() / ".farthing")


def config_file(path: Path | None, environ: Mapping[str, str]) -> Path:
    """Give the file that the configuration is read from, whether it exists or not."""
    if path is not None:
        return path
    if environ.get("FARTHING_CONFIG"):
        return Path(environ["FARTHING_CONFIG"])
    return home_folder(environ) / "hub" / "farthing.toml"


def setting_faults(
    content: Mapping[str, Any], environ: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Give each setting that cannot be used: its section, its key, and what is wrong."""
    for section, told in content.items():
        settings = SECTIONS.get(section)
        if section not in _KNOWN:
            yield section, "", _unknown(section, _KNOWN)
        elif section == "fees" and isinstance(told, dict):
            yield from _fee_faults(content, told)  # pyright: ignore[reportUnknownArgumentType]
        elif settings is None or not isinstance(told, dict):
            yield from _one_fault(section, "", {section: told})
        else:
            yield from _key_faults(section, settings, told)  # pyright: ignore[reportUnknownArgumentType]
    for name in _unknown_variables(environ):
        yield "", "", f"the environment has {name}"
    for section, settings in SECTIONS.items():
        for field in msgspec.structs.fields(settings):
            name = f"FARTHING_{section}_{field.name}".upper()
            if name in environ:
                yield from _variable_fault(section, name, field, environ[name])


def _key_faults(
    section: str, settings: type[msgspec.Struct], told: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    for key, value in told.items():
        if key not in settings.__struct_fields__:
            yield section, key, _unknown(key, settings.__struct_fields__)
        else:
            yield from _one_fault(section, key, {section: {key: value}})


def _variable_fault(
    section: str, name: str, field: Any, text: str
) -> Iterator[tuple[str, str, str]]:
    try:
        found = {section: {field.name: _value(name, text, field.type)}}
        msgspec.convert(found, Config, strict=True)
    except BadConfig as fault:
        yield "", "", fault.detail
    except msgspec.ValidationError as fault:
        yield "", "", f"{name}: {misfit(Config, fault)}"


def _one_fault(section: str, key: str, found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    try:
        msgspec.convert(found, Config, strict=True).check_values()
    except msgspec.ValidationError as fault:
        yield section, key, str(misfit(Config, fault))
    except FarthingError as fault:
        yield section, key, str(fault)


def _fee_faults(
    content: Mapping[str, Any], told: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    try:
        found = {"assets": content["assets"]} if "assets" in content else {}
        config = msgspec.convert(found, Config, strict=True)
        config.check_values()
    except (msgspec.ValidationError, FarthingError):
        return  # That is told by itself, and what the fees are of is not known.
    for code, terms in told.items():
        parts = cast(dict[str, Any], terms) if isinstance(terms, dict) else {}
        if code not in config.assets or "account" not in parts:
            yield from _terms_fault(config, code, "", terms)
            continue
        for key, value in parts.items():
            yield from _terms_fault(config, code, key, {"account": SOME_ACCOUNT, key: value})


def _terms_fault(config: Config, code: str, key: str, terms: Any) -> Iterator[tuple[str, str, str]]:
    section = f"fees.{code}"
    try:
        fees = {code: msgspec.convert(terms, FeeSettings, strict=True)}
        msgspec.structs.replace(config, fees=fees).check_values()
    except msgspec.ValidationError as fault:
        yield section, key, f"[{section}] {misfit(FeeSettings, fault)}"
    except FarthingError as fault:
        yield section, key, f"[{section}] {fault}"


def load_config(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """Read the configuration.

    Raises: BadConfig with the file, the key and the nearest name that exists.
    """
    file = config_file(path, environ)
    named = path is not None or environ.get("FARTHING_CONFIG")
    if named and not file.exists():
        raise BadConfig(
            "config-missing",
            f"there is no file {file}; write it first: an empty one means defaults",
        )
    found = _read(file) if file.exists() else {}
    _check_names(found, file)
    _check_variables(environ)
    for section, settings in SECTIONS.items():
        _override(found, section, settings, environ)
    try:
        config = msgspec.convert(found, Config, strict=True)
        config.check_values()
        _check_apart(config, file.absolute().parent)
        _check_process(config)
        _check_cluster(config)
    except msgspec.ValidationError as fault:
        raise _invalid(file, environ, str(misfit(Config, fault))) from None
    except FarthingError as fault:
        raise _invalid(file, environ, str(fault)) from None
    own = file.absolute()
    return msgspec.structs.replace(
        config, folder=str(own.parent), file=str(own) if own.exists() else ""
    )


def _invalid(file: Path, environ: Mapping[str, str], what: str) -> BadConfig:
    """Say where the first fault stands; what is only wrong in the whole stands in no line."""
    content = _read(file) if file.exists() else {}
    for section, key, told in setting_faults(content, environ):
        if section:
            return BadConfig("config-invalid", f"{place(file, section, key)}: {told}")
    return BadConfig("config-invalid", f"{file}: {what}")


def _check_apart(config: Config, folder: Path) -> None:
    """Refuse a heads file that is the books themselves, or their log: lines would spoil them."""
    books = (folder / config.books.path).resolve()
    heads = (folder / config.audit.heads_path).resolve()
    taken = [books.with_name(books.name + ending) for ending in ("", "-wal", "-shm", ".lock")]
    if config.books.in_file and heads in taken:
        raise BadConfig("config-invalid", "[audit] heads_path is the books' own file")


def _check_process(config: Config) -> None:
    """Refuse a writing process for PostgreSQL, which is many processes already."""
    if config.books.own_process == "always" and config.books.engine != "sqlite":
        detail = '[books] own_process is for engine = "sqlite"; take it out'
        raise BadConfig("config-invalid", detail)


def _check_cluster(config: Config) -> None:
    """Refuse a cluster without addresses, and addresses without a cluster."""
    books = config.books
    if books.engine != "tigerbeetle":
        if books.addresses:
            detail = '[books] addresses is for engine = "tigerbeetle"; take it out'
            raise BadConfig("config-invalid", detail)
    elif not books.addresses:
        raise BadConfig("config-invalid", "[books] addresses: name TigerBeetle's replicas")


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(file))
    except UnicodeDecodeError:
        raise BadConfig("config-unreadable", f"{file}: it is not UTF-8") from None
    except (tomllib.TOMLDecodeError, Malformed, RecursionError) as fault:
        raise BadConfig("config-unreadable", f"{file}: {fault}") from None


def _check_names(found: Mapping[str, Any], file: Path) -> None:
    for section, content in found.items():
        _check_name(section, _KNOWN, f"{file}")
        settings = SECTIONS.get(section)
        if settings is not None and isinstance(content, dict):
            for key in content:  # pyright: ignore[reportUnknownVariableType]
                _check_name(str(key), settings.__struct_fields__, f"{file}: [{section}]")  # pyright: ignore[reportUnknownArgumentType]


def _check_variables(environ: Mapping[str, str]) -> None:
    for told in _unknown_variables(environ):
        raise BadConfig("config-unknown-key", f"the environment has {told}")


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    for section, settings in SECTIONS.items():
        prefix = f"FARTHING_{section.upper()}_"
        known = [prefix + field.upper() for field in settings.__struct_fields__]
        for name in environ:
            if name.startswith(prefix) and name not in known:
                yield _unknown(name, known)


def _check_name(name: str, known: Sequence[str], where: str) -> None:
    if name in known:
        return
    raise BadConfig("config-unknown-key", f"{where} has {_unknown(name, known)}")


def _unknown(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
    return f"no setting {name!r}; {hint}"


def _override(
    found: dict[str, Any], section: str, settings: type[msgspec.Struct], environ: Mapping[str, str]
) -> None:
    for field in msgspec.structs.fields(settings):
        name = f"FARTHING_{section.upper()}_{field.name.upper()}"
        content = found.setdefault(section, {}) if name in environ else None
        if isinstance(content, dict):
            content[field.name] = _value(name, environ[name], field.type)


def _value(name: str, text: str, kind: Any) -> Any:
    bare = kind.__origin__ if get_origin(kind) is Annotated else kind
    if bare is int:
        if not (text.isascii() and text.isdigit() and len(text) < 12):
            raise BadConfig("config-invalid", f"{name} must be a whole number")
        return int(text)
    if bare is bool:
        if text not in ("true", "false"):
            raise BadConfig("config-invalid", f"{name} must be true or false")
        return text == "true"
    if get_origin(bare) is dict:
        raise BadConfig("config-invalid", f"{name}: tables are told in the file alone")
    if bare == list[str]:
        return [item.strip() for item in text.split(",") if item.strip()]
    return text
