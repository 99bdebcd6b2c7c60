"""Who scores: a champion, whose word counts, and a challenger beside it, whose word is recorded.

Whatever is wrong with a model (its file, its version, a fault, its speed) takes it off, is told
once, and leaves rules to judge alone until somebody promotes another.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from time import thread_time
from typing import NamedTuple

import structlog

from farthing.errors import FarthingError
from farthing.risk.drift import SCORE, drifts
from farthing.risk.kept import Kept
from farthing.risk.training import Seen, train
from farthing.risk.traits import NAMES
from farthing.services.model_shelf import ROLES, Role, Shelf

log = structlog.get_logger()

FIRST = "first-day"
"""The name of the detector that a hub makes by itself, while nobody was promoted."""

FIRST_ROWS_MIN, FIRST_ROWS_MAX = 1000, 10_000
FIRST_SECONDS = 86_400
SLOW_SECONDS = 0.002
"""Of processor time for an order: a machine that is busy with others makes no model slow."""
_LOOKED_AT = 64

REMARKABLE = 99_000
"""From this rank on a score is counted and written down as remarkable."""


DRIFT_ORDERS_MIN, DRIFT_ORDERS = 200, 2000
DRIFT_SECONDS = 600
"""Drift is looked at this often, of so many of the newest orders."""


class Scorer(NamedTuple):
    """A model that scores now."""

    name: str
    rank: Callable[[Sequence[int]], int]
    kept: Kept


class Drifted(NamedTuple):
    """How far the newest orders are from what a model was trained on.

    Units: `at` is Unix seconds. Shape: `score` is the index of its ranks; `trait` is the trait
           that has changed most, and `most` its index.
    """

    at: int
    orders: int
    score: float
    trait: str
    most: float


class Scorers:
    """Those who score, and how they do. Shape: `faults` say why one in a role does not."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf, self._stamp = shelf, (-1, -1)
        self.by_role: dict[Role, Scorer] = {}
        self.faults: dict[Role, str] = {}
        self.scored, self.remarkable = Counter[Role](), Counter[Role]()
        self.drifts: dict[Role, Drifted] = {}
        self._ranked: dict[Role, deque[int]] = {}
        self._drift_at = 0
        self._seen: deque[tuple[int, Sequence[int]]] = deque(maxlen=FIRST_ROWS_MAX)
        self._first_at = 0
        self._nobody_promoted = True

    def look(self) -> None:
        """Take on who was promoted since, if somebody was."""
        stamp = self._shelf.stamp
        if stamp == self._stamp:
            return
        self._stamp, self.by_role, self.faults, self.drifts = stamp, {}, {}, {}
        try:
            roles = self._shelf.roles()
        except FarthingError as fault:
            self._nobody_promoted = False
            self._fail("champion", "roles.json", str(fault))
            return
        self._nobody_promoted = roles.champion is None
        self._first_at = 0
        for role in ROLES:
            named = getattr(roles, role)
            if named is not None:
                self._take_on(role, named.name, lambda named=named: self._shelf.read(named))

    def _take_on(self, role: Role, name: str, read: Callable[[], Kept]) -> None:
        try:
            kept = read()
            self.by_role[role] = Scorer(name, kept.ranker(), kept)
        except FarthingError as fault:
            self._fail(role, name, str(fault))
        else:
            self._ranked[role] = deque(maxlen=DRIFT_ORDERS)
            self.drifts.pop(role, None)
            self._drift_at = 0
            log.info("risk.model_scores", role=role, name=name)

    def remember(self, at: int, traits: Sequence[int]) -> None:
        """Have an order's traits in mind, for a detector to be made of."""
        self._seen.append((at, traits))

    def make_first(self, now: int) -> None:
        """Make a detector of what was seen of late, where nobody was promoted; once a day anew."""
        enough = len(self._seen) >= FIRST_ROWS_MIN
        if not (self._nobody_promoted and enough and now >= self._first_at + FIRST_SECONDS):
            return
        at, table = [one for one, _ in self._seen], [traits for _, traits in self._seen]
        seen = Seen(table, [False] * len(table), at)
        self._first_at = now
        self._take_on("champion", FIRST, lambda: train("detector", seen, now))

    @property
    def seen(self) -> int:
        """How many orders a detector could be made of."""
        return len(self._seen)

    def measure_drift(self, now: int) -> None:
        """Hold the newest orders against what each model was trained on, every ten minutes."""
        if now < self._drift_at + DRIFT_SECONDS:
            return
        for role, scorer in list(self.by_role.items()):
            ranks = self._ranked[role]
            if len(ranks) < DRIFT_ORDERS_MIN:
                continue
            self._drift_at = now
            newest = list(islice(reversed(self._seen), len(ranks)))
            table = [traits for _, traits in newest]
            found = drifts(scorer.kept.bins, NAMES, table, list(ranks))
            score = found.pop(SCORE, 0.0)
            trait = max(found, key=found.__getitem__, default="")
            self.drifts[role] = Drifted(now, len(table), score, trait, found.get(trait, 0.0))

    def ranks(self, traits: Sequence[Sequence[int]]) -> Mapping[Role, Sequence[int]]:
        """Rank some orders by everybody who scores; who fails at it, or is slow, is taken off."""
        found: dict[Role, Sequence[int]] = {}
        for role, scorer in list(self.by_role.items()):
            began = thread_time()
            try:
                found[role] = [scorer.rank(one) for one in traits]
            except Exception as fault:
                self._fail(role, scorer.name, repr(fault))
                continue
            self._ranked[role].extend(found[role])
            self.scored[role] += len(traits)
            self.remarkable[role] += sum(rank >= REMARKABLE for rank in found[role])
            took = (thread_time() - began) / max(1, len(traits))
            if len(traits) >= _LOOKED_AT and took > SLOW_SECONDS:
                self._fail(role, scorer.name, f"it takes {took * 1000:.1f} ms for an order")
        return found

    def _fail(self, role: Role, name: str, why: str) -> None:
        self.by_role.pop(role, None)
        self.drifts.pop(role, None)
        self.faults[role] = f"{name}: {why}"
        hint = "rules judge alone; see farthing risk models list"
        log.error("risk.model_failed", role=role, name=name, why=why, hint=hint)
