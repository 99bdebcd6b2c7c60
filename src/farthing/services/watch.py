"""Being watched: what a use case tells about itself, and nothing about who watches."""

from collections.abc import Sequence
from typing import Any, Protocol, Self


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


class Stepping(Protocol):
    """One step of a request; used as a context."""

    def __enter__(self) -> Self: ...
    def __exit__(self, kind: Any, fault: Any, trace: Any, /) -> None: ...

    def part(self, name: str) -> None:
        """Begin a part of it, which ends where the next begins or the step ends."""
        ...


class Watch(Protocol):
    """Whoever counts requests and steps, and traces them."""

    def request(self, headers: Sequence[tuple[bytes, bytes]]) -> Seen:
        """Follow a request from here on."""
        ...

    def step(self, name: str) -> Stepping:
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

    def __exit__(self, *fault: Any) -> None:
        """End."""

    def named(self, name: str) -> None:
        """Tell nobody."""

    def answered(self, status: int) -> None:
        """Tell nobody."""

    def part(self, name: str) -> None:
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
