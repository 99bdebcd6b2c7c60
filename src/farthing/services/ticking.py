"""Ticks of many sessions of one payee in one body: checked in one go, one commit takes them all.

Of each session the highest tick counts, so the books are told of that one alone; every other one
was checked all the same, and none does harm.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from farthing.core.promises import REACH, Promise, bad_tick, too_far
from farthing.core.sessions import ALIASES, SESSIONS, Session, alias_key
from farthing.core.ticks import TICK_BYTES, Climbed, Rung, climb, read_ticks
from farthing.errors import FarthingError, Malformed
from farthing.services.context import Context
from farthing.services.proving import Steps
from farthing.services.sessions import Sessions
from farthing.store.database import Tx

TICKS_AT_ONCE, SESSIONS_AT_ONCE = 16_384, 1000
_KEPT = 20_000


@dataclass(slots=True)
class Ticked:
    """What became of one session's ticks.

    Shape: `places` are those of its ticks in the body; `right` counts those of its ladder; `wrong`
           are places of those that are not, `far` of those that were not looked at; `drawn` is the
           session as it stands then, `problem` why not all that was right counts.
    """

    alias: bytes
    places: list[int] = field(default_factory=list[int])
    rungs: list[Rung] = field(default_factory=list[Rung])
    known: Promise | None = None
    session: str = ""
    climbed: Climbed = field(default_factory=lambda: Climbed([], [], [], 0))
    drawn: Session | None = None
    problem: FarthingError | None = None

    @property
    def right(self) -> int:
        """How many of its ticks are of its ladder."""
        return len(self.climbed.right)

    @property
    def wrong(self) -> list[int]:
        """Places in the body of ticks that are of no ladder of this session."""
        return [self.places[at] for at in self.climbed.wrong]

    @property
    def far(self) -> list[int]:
        """Places in the body of ticks that are too far from what is known."""
        return [self.places[at] for at in self.climbed.far]

    def heard(self, answer: Session | FarthingError) -> None:
        """Take over what the books have said."""
        if isinstance(answer, FarthingError):
            self.problem = self.problem or answer
        else:
            self.drawn = answer


class Ticking:
    """Takes ticks as they stand in a body, 28 bytes each."""

    def __init__(self, ctx: Context, sessions: Sessions) -> None:
        self._ctx, self._sessions = ctx, sessions
        self._named: dict[bytes, str] = {}

    async def take(
        self, payee: str, raw: bytes, by: str | None = None, *, late: bool = False, bearer: str = ""
    ) -> list[Ticked]:
        """Check all ticks and have the highest of each session counted.

        Raises: Malformed `malformed-tick`; Unavailable, TooMuch.
        """
        groups = _grouped(raw)
        steps = Steps()
        await self._find(payee, groups)
        await self._climb(groups, bearer, steps)
        stale = [group for group in groups if not group.climbed.right]
        if stale and await self._look_again(stale):
            await self._climb(stale, bearer, steps)
        await self._draw(groups, by, late=late, bearer=bearer)
        return groups

    async def _find(self, payee: str, groups: Sequence[Ticked]) -> None:
        """Find the sessions and the promises that are known of them."""
        keys = {alias_key(payee, group.alias): group for group in groups}
        new = [key for key in keys if key not in self._named]
        if new:
            await self._ctx.database.read(lambda tx: self._name(tx, new))
        missing: list[Ticked] = []
        for key, group in keys.items():
            group.session = self._named.get(key, "")
            group.known = self._sessions.proofs.known(group.session)
            if group.session and group.known is None:
                missing.append(group)
        await self._look_again(missing)

    def _name(self, tx: Tx, keys: Sequence[bytes]) -> None:
        for key, alias in tx.fetch(ALIASES, keys).items():
            while len(self._named) >= _KEPT:
                del self._named[next(iter(self._named))]
            self._named[key] = alias.session

    async def _look_again(self, groups: Sequence[Ticked]) -> bool:
        """Look sessions up in the books; tell whether any is known otherwise than it was."""
        idents = [group.session for group in groups if group.session]
        if not idents:
            return False
        found = await self._ctx.database.read(lambda tx: tx.fetch(SESSIONS, idents))
        changed = False
        for group in groups:
            session, before = found.get(group.session), group.known
            group.known = None if session is None else self._sessions.proofs.seen(session)
            changed = changed or group.known != before
        return changed

    async def _climb(self, groups: Sequence[Ticked], bearer: str, steps: Steps) -> None:
        def work() -> None:
            for group in groups:
                group.climbed = _climbed(group, steps)

        await self._sessions.proofs.away(work, bearer)

    async def _draw(
        self, groups: Sequence[Ticked], by: str | None, *, late: bool, bearer: str
    ) -> None:
        """Let the highest tick of each session count; of one that is beyond the deposit, what is
        not.
        """
        highest: list[tuple[Ticked, Promise]] = []
        for group in groups:
            if group.climbed.right and group.known is not None:
                highest.append((group, group.known.at(group.climbed.right[-1])))
            else:
                group.problem = too_far() if group.climbed.far else bad_tick()
        await self._take(highest, by, late=late, bearer=bearer)
        covered = [
            (group, within)
            for group, promise in highest
            if (within := _within(group, promise)) is not None
        ]
        if covered:
            await self._take(covered, by, late=late, bearer=bearer)

    async def _take(
        self,
        promised: Sequence[tuple[Ticked, Promise]],
        by: str | None,
        *,
        late: bool,
        bearer: str,
    ) -> None:
        asked = [(group.session, promise) for group, promise in promised]
        answers = await self._sessions.take(asked, by, late=late, bearer=bearer)
        for (group, _), answer in zip(promised, answers, strict=True):
            group.heard(answer)


def _grouped(raw: bytes) -> list[Ticked]:
    groups: dict[bytes, Ticked] = {}
    if len(raw) > TICKS_AT_ONCE * TICK_BYTES:
        raise Malformed("malformed-tick", f"a body has at most {TICKS_AT_ONCE} ticks")
    for place, (alias, count, value) in enumerate(read_ticks(raw)):
        group = groups.get(alias)
        if group is None:
            group = groups[alias] = Ticked(alias)
        group.places.append(place)
        group.rungs.append((count, value))
    if len(groups) > SESSIONS_AT_ONCE:
        detail = f"a body has ticks of at most {SESSIONS_AT_ONCE} sessions"
        raise Malformed("malformed-tick", detail)
    return list(groups.values())


def _climbed(group: Ticked, steps: Steps) -> Climbed:
    known = group.known
    ladder = known.claims.ladder if known is not None else None
    if known is None or ladder is None:
        return Climbed([], list(range(len(group.rungs))), [], 0)
    climbed = climb(group.alias, known.rung, group.rungs, REACH, ladder.most, steps.left)
    steps.left -= climbed.steps
    return climbed


def _within(group: Ticked, promise: Promise) -> Promise | None:
    """Give the highest promise that the deposit covers, of one that was beyond it."""
    ladder, problem = promise.claims.ladder, group.problem
    if ladder is None or problem is None or problem.code != "voucher-beyond-deposit":
        return None
    most = (int(problem.more["deposit"]) - promise.claims.units) // ladder.each
    place = bisect_right([count for count, _ in group.climbed.right], most)
    return promise.at(group.climbed.right[place - 1]) if place else None
