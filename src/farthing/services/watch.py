"""Being watched: what a use case tells about itself, and nothing about who watches."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol, Self


class Seen(Protocol):
    """One request while it is answered; used as a context."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *fault: object) -> None: ...

    def named(self, name: str) -> None:
        """Tell what it is for: an endpoint's name, or how a paid request ended."""
        ...

    def answered(self, status: int) -> None:
        """Tell that the head of its answer leaves now."""
        ...


class Watch(Protocol):
    """Whoever counts requests and steps, and traces them."""

    def request(self, headers: Sequence[tuple[bytes, bytes]]) -> Seen:
        """Follow a request from here on."""
        ...

    def step(self, name: str) -> AbstractContextManager[object]:
        """Follow one step of it."""
        ...

    def carried(self) -> list[tuple[str, str]]:
        """Give the headers by which the next server knows that it is the same trace."""
        ...


class Unwatched:
    """Nobody watches."""

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *fault: object) -> None:
        """End."""

    def named(self, name: str) -> None:
        """Tell nobody."""

    def answered(self, status: int) -> None:
        """Tell nobody."""

    def request(self, headers: Sequence[tuple[bytes, bytes]]) -> "Unwatched":  # noqa: ARG002
        """Follow nothing."""
        return self

    def step(self, name: str) -> "Unwatched":  # noqa: ARG002
        """Follow nothing."""
        return self

    def carried(self) -> list[tuple[str, str]]:
        """Give nothing."""
        return []


UNWATCHED = Unwatched()
