"""What `farthing doctor` looks at: each look gives what it found, and changes nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from farthing.settings import Config

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found: how it stands, what was seen, and what to do."""

    what: str
    state: State
    seen: str
    do: str = ""


Look = Callable[[Config], Iterator[Finding]]
