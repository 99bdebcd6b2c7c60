"""What everybody in a story shares: luck, history, network, and how much is still wanted."""

from random import Random
from typing import Any

from farthing import ids
from simulation.faults import Faults
from simulation.history import History
from simulation.loop import SeededLoop
from simulation.network import Network
from simulation.stillness import STILL


class Town:
    """The shared part. Shape: `operations` counts what clients wanted of a hub so far."""

    def __init__(self, seed: int, wanted: int, loop: SeededLoop, faults: Faults) -> None:
        self.luck = Random(f"town {seed}")
        self.loop, self.faults, self.history = loop, faults, History()
        self.network = Network(loop, Random(f"network {seed}"), faults)
        self.operations, self._wanted = 0, wanted
        self._changes: dict[tuple[str, str], float] = {}

    def wants_more(self) -> bool:
        """Tell whether clients should go on."""
        return self.operations < self._wanted

    def name(self, prefix: str) -> str:
        """Make an id of a client's own."""
        return ids.name(prefix, ids.fresh(STILL.now_ns() // 1_000_000, self.luck.getrandbits))

    def note(self, what: str, **facts: Any) -> None:
        """Write a line of the history."""
        self.history.note(self.loop.time(), what, **facts)

    def operation(self, who: str, kind: str, **facts: Any) -> int:
        """Note what a client asks, and give it a number."""
        self.operations += 1
        self.note("asked", by=who, kind=kind, operation=self.operations, **facts)
        return self.operations

    def heard(self, operation: int, **facts: Any) -> None:
        """Note what settled it."""
        self.note("heard", operation=operation, **facts)

    def unheard(self, operation: int, status: int | None) -> None:
        """Note that it was not settled yet."""
        self.note("unheard", operation=operation, status=status)

    def gone(self, operation: int) -> None:
        """Note that its client forgot it."""
        self.faults.count("client-gone")
        self.note("gone", operation=operation)

    def change(self, kind: str, whose: str) -> None:
        """Note that somebody begins to change what orders depend on."""
        self._changes[kind, whose] = self.loop.time()
        self.note("change", kind=kind, whose=whose)

    def changed_since(self, kind: str, of: tuple[str, ...], since: float) -> bool:
        """Tell whether that was changed for any of these since a time."""
        return any(self._changes.get((kind, one), -1.0) >= since for one in of)
