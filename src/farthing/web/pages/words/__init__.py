"""What pages say, one file a language; the texts of all have the same names."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

DEFAULT = "en"
_ACCEPTED_MAX = 10


@cache
def languages() -> tuple[str, ...]:
    """Name the languages there are: one file each."""
    names = (file.name for file in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


@cache
def words(language: str) -> Mapping[str, str]:
    """Give a language's texts by their names."""
    return tomllib.loads((files(__name__) / f"{language}.toml").read_text(encoding="utf-8"))


def chosen(accepted: str) -> str:
    """Choose the language that a browser likes best, of those there are.

    Source: RFC 9110, section 12.5.4.
    """
    best, weight = DEFAULT, 0.0
    for part in accepted.split(",")[:_ACCEPTED_MAX]:
        name, _, told = part.strip().partition(";q=")
        try:
            wanted = float(told) if told else 1.0
        except ValueError:
            continue
        short = name.strip().lower().partition("-")[0]
        if short in languages() and wanted > weight:
            best, weight = short, wanted
    return best
