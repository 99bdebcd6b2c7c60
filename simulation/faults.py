"""Which kinds of fault there are, and how often each changed an outcome."""

from collections import Counter
from random import Random

KINDS = {
    "request-lost": "a request never came to the hub, and its client waited in vain",
    "answer-lost": "what the hub answered never came back, and its client waited in vain",
    "request-doubled": "a request came twice, and the hub served both",
    "request-late": "a request came to the hub after its client had given up waiting",
    "answer-late": "an answer came after its client had given up waiting",
    "killed": "the hub's process ended between two steps, with requests unanswered",
    "power-cut": "the power failed between two steps: requests unanswered, or writes lost",
}
"""What each fault is, and what has to follow for it to be counted."""


class Faults:
    """Draws faults, and counts those that changed something.

    Shape: `often` is how probable each kind is where it could happen; `calm` ends them all.
    """

    def __init__(self, luck: Random, often: dict[str, float]) -> None:
        self._luck, self._often = luck, often
        self.calm = True
        self.counted: Counter[str] = Counter()

    def strikes(self, kind: str) -> bool:
        """Draw whether a fault of this kind happens here."""
        drawn = self._luck.random()
        return not self.calm and drawn < self._often.get(kind, 0.0)

    def count(self, kind: str) -> None:
        """Note that one changed an outcome."""
        if kind not in KINDS:
            raise KeyError(kind)
        self.counted[kind] += 1
