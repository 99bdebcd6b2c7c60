"""What everybody in a story shares: luck, history, network, and how much is still wanted."""

from random import Random
from typing import Any

from simulation.faults import Faults
from simulation.history import History
from simulation.loop import SeededLoop
from simulation.network import Network


class Town:
    """The shared part. Shape: `operations` counts what clients wanted of a hub so far."""

    def __init__(self, seed: int, wanted: int, loop: SeededLoop, faults: Faults) -> None:
        self.luck = Random(f"town {seed}")
        self.loop, self.faults, self.history = loop, faults, History()
        self.network = Network(loop, Random(f"network {seed}"), faults)
        self.operations, self._wanted = 0, wanted
        self.hub_id = ""

    def wants_more(self) -> bool:
        """Tell whether clients should go on."""
        return self.operations < self._wanted

    def operation(self, who: str, kind: str, **facts: Any) -> int:
        """Note what a client asks, and give it a number."""
        self.operations += 1
        self.history.note(
            self.loop.time(), "asked", by=who, kind=kind, operation=self.operations, **facts
        )
        return self.operations

    def heard(self, operation: int, **facts: Any) -> None:
        """Note what settled it."""
        self.history.note(self.loop.time(), "heard", operation=operation, **facts)

    def unheard(self, operation: int, status: int | None) -> None:
        """Note that it was not settled yet."""
        self.history.note(self.loop.time(), "unheard", operation=operation, status=status)
