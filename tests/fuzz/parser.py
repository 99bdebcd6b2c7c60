"""A parser, as the table has it, and how bytes become what it reads."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from farthing import codec
from farthing.device.hub_calls import read_object

FOLDER = Path(tempfile.mkdtemp(prefix="farthing-fuzz-"))


@dataclass(frozen=True)
class Parser:
    """One parser: what reads bytes, and bytes that it does read."""

    name: str
    read: Callable[[bytes], object]
    samples: tuple[bytes, ...]


def text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """Read text as JSON or a header would hand it on: any character at all."""
    return lambda raw: (read(raw.decode("utf-8", "replace")), read(raw.decode("latin-1")))


def plain(read: Callable[[Any], object]) -> Callable[[bytes], object]:
    """Read a value out of JSON."""
    return lambda raw: read(codec.read_json(raw))


def an_object(read: Callable[[dict[str, Any]], object]) -> Callable[[bytes], object]:
    """Read a JSON object; what else JSON can be is refused before."""
    return lambda raw: read(read_object(raw))
