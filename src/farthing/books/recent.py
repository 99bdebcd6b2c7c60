"""Which ids were used up lately: a new payment's are known to be free at no cost.

Ids sort by time, so what is new is above a floor, and all that was used above it fits in memory.
Below the floor the database is asked. Only for books that nobody else writes to.
"""

from collections.abc import Callable, Iterable, Sequence

from farthing.core.ledger import ID_MAX

KEPT = 100_000


class RecentIds:
    """All used ids from `floor` on, in two generations; the older one is dropped whole.

    Shape: knows nothing until `load`, and then at least the newest `kept` ids.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self.floor = ID_MAX
        self._kept = kept
        self._older: set[int] = set()
        self._newer: set[int] = set()

    @property
    def is_loaded(self) -> bool:
        """Whether anything is known."""
        return self.floor != ID_MAX

    def load(self, *newest: Callable[[int], Sequence[int]]) -> None:
        """Learn the newest ids of each kind there is; each is asked for that many."""
        found = [some(self._kept) for some in newest]
        full = [min(some) for some in found if len(some) == self._kept]
        self.floor = max(full, default=0)
        self._older = {ident for some in found for ident in some}

    def is_free(self, ident: int) -> bool:
        """Tell whether an id was surely never used; if not, the database knows."""
        return ident >= self.floor and ident not in self._newer and ident not in self._older

    def use(self, idents: Iterable[int]) -> None:
        """Note ids that a commit uses up."""
        self._newer.update(idents)
        if len(self._newer) >= self._kept and self.is_loaded:
            self.floor = max(self.floor, max(self._older, default=0) + 1)
            self._older, self._newer = self._newer, set()
