"""Fair shares of what is bounded: nobody may hold more than is left free for others.

So one alone gets half of it, two get a third each, and who comes new always finds some room.
Nothing is configured, nothing is measured, and a share grows back as soon as others let go.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Generic, Literal, TypeVar

T = TypeVar("T")

Verdict = Literal["", "full", "share"]
"""Whether there is room: nothing said, or nobody finds any, or only who asked has enough."""


class Room:
    """So much for all together.

    Shape: somebody without a name is not held to a share, only to the whole; `each_max` bounds
           every share besides, 0 means that it does not.
    """

    def __init__(self, most: int, each_max: int = 0) -> None:
        self.most, self.each_max = most, each_max
        self.held = 0
        self._shares: dict[str, int] = {}

    def take(self, who: str, count: int = 1) -> Verdict:
        """Take some, if there is room; else take nothing and tell why not."""
        free = self.most - self.held
        if count > free:
            return "full"
        own = self._shares.get(who, 0) + count
        if who and (own > free or 0 < self.each_max < own):
            return "share"
        self._shares[who] = own
        self.held += count
        return ""

    def give(self, who: str, count: int = 1) -> None:
        """Give back what was taken."""
        self.held -= count
        left = self._shares[who] - count
        if left:
            self._shares[who] = left
        else:
            del self._shares[who]

    def share(self, who: str) -> int:
        """Tell how much somebody holds."""
        return self._shares.get(who, 0)


class Line(Generic[T]):
    """A queue that takes from all who wait in turn, and of each in the order they came."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._size = 0
        self._waiting: OrderedDict[str, deque[T]] = OrderedDict()

    def __len__(self) -> int:
        return self._size

    def put(self, who: str, items: Sequence[T]) -> Verdict:
        """Let all of these wait, or none; somebody without a name is not held to a share."""
        free = self.most - self._size
        if len(items) > free:
            return "full"
        own = self._waiting.get(who)
        if own is None:
            self._waiting[who] = deque(items)
        elif who and len(own) + len(items) > free:
            return "share"
        else:
            own.extend(items)
        self._size += len(items)
        return ""

    def take(self, most: int) -> list[T]:
        """Take at most so many: everything, or as many of each as there is time for."""
        taken: list[T] = []
        if self._size <= most:
            for own in self._waiting.values():
                taken += own
            self._waiting.clear()
        else:
            while len(taken) < most:
                who, own = self._waiting.popitem(last=False)
                taken.append(own.popleft())
                if own:
                    self._waiting[who] = own  # At the end: the others come first.
        self._size -= len(taken)
        return taken
