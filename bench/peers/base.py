"""What a peer is to the benchmark: how to get it, what is not alike, and how to run it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import Figure


class PeerMissing(Exception):
    """A peer could not be installed, started or paid; the text says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to measure. Units: `seconds` for each run; `clients` pay side by side."""

    seconds: float
    clients: Sequence[int]
    runs: int
    devices: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Peer:
    """One thing to compare with.

    Shape: `job` says what one payment is, `unlike` what it does that others do not or does not do
           that they do; `install` fetches it and tells versions; `run` gives figures as they come.
    """

    name: str
    job: str
    unlike: str
    install: Callable[[], dict[str, str]]
    run: Callable[[Asked], Iterator[Figure]]


@dataclass(slots=True)
class Outcome:
    """What became of a peer. Shape: `why` is empty where all went well."""

    peer: Peer
    versions: dict[str, str] = field(default_factory=dict[str, str])
    figures: list[Figure] = field(default_factory=list[Figure])
    why: str = ""
