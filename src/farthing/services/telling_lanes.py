"""One lane of one person: what it has to tell is told when due, by the first way that works."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from farthing.clock import NS
from farthing.core.addresses import RemoveAddress
from farthing.core.events import Event
from farthing.core.listeners import Address, NoticeLane, after, usable
from farthing.core.notices import ASKING, Class, Told, told_at, told_now
from farthing.core.payments import Payment, State
from farthing.core.said import read_said
from farthing.core.telling import UNCLEAR, BeginNotice, EndNotice, NoticeTry, told_again
from farthing.log_lines import Log
from farthing.notifiers.base import Notice, Posted
from farthing.notifiers.words import answers_written, more_written, written
from farthing.services.context import Context
from farthing.services.notices import Notices
from farthing.store.notices import Asked, Pending, asked_about, pending_of
from farthing.store.unshown import PUSH, Unshown, unshown_pushes

log = Log("notices")

_AGAIN_SECONDS = (30, 120, 600, 3600, 3600, 3600)
"""How long to wait after each time that no way worked; after the last it is given up."""
_ASK_AGAIN_SECONDS = 10
_SECONDS = {Class.SECURITY: 86_400, Class.MONEY: 6 * 3600, Class.ACCOUNT: 86_400}


class Lanes:
    """Tells lanes."""

    def __init__(self, ctx: Context, notices: Notices) -> None:
        self._ctx, self._notices = ctx, notices
        self._looked: dict[str, int] = {}
        self._mine: set[str] = set()

    async def tell(self, ident: str) -> int | None:
        """Tell what is due of a lane.

        Units: the answer is when to look again, in Unix ns; None: once something happens.
        """
        ctx, after = self._ctx, self._looked.get(ident, 0)
        found = await ctx.database.read(lambda tx: pending_of(tx, ident, after))
        if found is None:
            return None
        lane, now = found.lane, ctx.clock()
        if lane.upto and lane.next_ns > now:
            return lane.next_ns
        if lane.upto and not lane.next_ns and ident not in self._mine and not told_again(lane):
            return await self._unclear(found)
        if not found.events:
            return await self._nothing(found)
        wishes = found.listener.wishes
        if not lane.upto:
            first = found.events[0].time_ns
            due = told_at(wishes, lane.lane, first, now, lane.recent)
            if due > now:
                return due
            count = told_now(lane.lane, found.events, lane.recent, now)
            if count < len(found.events):
                found = _first(found, count)
        return await self._told(found)

    async def _nothing(self, found: Pending) -> int | None:
        if found.lane.upto:  # What it was to tell is not to be told any more.
            return await self._over(found.lane, [])
        self._looked[found.lane.id] = found.newest
        return None

    async def _unclear(self, found: Pending) -> int | None:
        """Leave a notice alone that may have been sent when the hub was killed."""
        return await self._over(found.lane, [self._try(found, None, Posted(0, UNCLEAR, 0))])

    async def _told(self, found: Pending) -> int | None:
        asks = await self._still_asked(found.events, found.lane.person)
        events = [e for e in found.events if e.kind not in ASKING or e.subject in asks]
        lane, about = found.lane, found.lane.lane.about
        addresses = usable(found.listener.wishes, about, found.addresses)
        upto = lane.upto or (found.newest if found.more else found.events[-1].number)
        begun = (await self._ctx.books.commit_one(BeginNotice(lane, upto, addresses))).answer
        if begun.lane is None:
            return self._ctx.clock()  # It moved meanwhile: look at it anew.
        if not events or not addresses:
            return await self._over(begun.lane, [])
        self._mine.add(lane.id)
        told = Told(lane.lane, tuple(events), found.more, found.accounts)
        found = found._replace(lane=begun.lane, events=events)
        return await self._by_ways(found, told, addresses, begun.addresses, asks)

    async def _by_ways(
        self,
        found: Pending,
        told: Told,
        addresses: Sequence[Address],
        paced: Sequence[str],
        asks: dict[str, Asked],
    ) -> int | None:
        tries, others = await self._tried(found, told, addresses, paced, asks)
        if any(not one.fault for one in tries):
            if tries[-1].way == PUSH and asks and others:
                self._unless_shown(Unshown(found, self._ctx.clock()), told.more, asks)
            return await self._over(found.lane, tries)
        return await self._later(found.lane, tries, asks)

    async def _tried(
        self,
        found: Pending,
        told: Told,
        addresses: Sequence[Address],
        paced: Sequence[str],
        asks: dict[str, Asked],
    ) -> tuple[list[NoticeTry], list[Address]]:
        """Try one way after the other until one works; give what is left of them as well."""
        tries, delivered = list[NoticeTry](), False
        for way in dict.fromkeys(one.way for one in addresses):
            for address in [one for one in addresses if one.way == way]:
                posted = Posted(0, "paced", 0)
                if address.id in paced:
                    posted = await self._post(found, told, address, asks)
                tries.append(self._try(found, address, posted))
                delivered |= posted.delivered
                if posted.gone:
                    await self._ctx.books.commit_one(RemoveAddress(address.id, None, "gone"))
            if delivered:
                return tries, after(way, addresses)
        return tries, []

    async def resume(self) -> None:
        """Wait on for what was pushed by who told before, and stopped or was killed meanwhile."""
        for unshown in await self._ctx.database.read(unshown_pushes):
            found = unshown.found
            asks = await self._still_asked(found.events, found.lane.person)
            if asks:
                self._unless_shown(unshown, found.more, asks)

    def _unless_shown(self, unshown: Unshown, more: bool, asks: dict[str, Asked]) -> None:
        """Tell an ask by the next ways, where it was pushed and no browser shows it in time."""
        found, ends_ns = unshown.found, min(one.payment.ask_ends_ns for one in asks.values())

        async def tell() -> None:
            left = await self._still_asked(found.events, found.lane.person)
            events = [event for event in found.events if event.subject in left]
            usual = usable(found.listener.wishes, found.lane.lane.about, found.addresses)
            others = after(PUSH, usual)
            if not events or not others:
                return
            told = Told(found.lane.lane, tuple(events), more, found.accounts)
            again, places = found._replace(events=events), [one.id for one in others]
            tries, _ = await self._tried(again, told, others, places, left)
            await self._record(EndNotice(found.lane, tries))
            if all(one.fault for one in tries):
                await asyncio.sleep(_ASK_AGAIN_SECONDS)
                await tell()

        self._notices.showing.unless_shown(found.lane.notice, unshown.pushed_ns, ends_ns, tell)

    async def _post(
        self, found: Pending, told: Told, address: Address, asks: dict[str, Asked]
    ) -> Posted:
        way = self._notices.ways.get(address.way)
        if way is None:  # The operator took it out of the configuration meanwhile.
            return Posted(0, "way-off", 0)
        notice = self._notice(found, told, asks)
        try:
            return await way.tell(address.place, address.keys, notice)
        except Exception as fault:  # Whatever it was, the next way is tried.
            log.error("notices.failed", fault=fault)
            return Posted(0, "unreachable", 0)

    def _notice(self, found: Pending, told: Told, asks: dict[str, Asked]) -> Notice:
        notices, wishes, lane = self._notices, found.listener.wishes, found.lane
        secure = told.about is Class.SECURITY
        stop = "" if secure else notices.stop_url(lane.person, told.about)
        asked = asks.get(told.events[0].subject) if len(told.events) == 1 else None
        payee = asked.payee if asked is not None else ""
        more = stop or notices.settings_url
        text = written(told, wishes, self._ctx.assets, more, payee)
        made = Notice(
            lane.notice,
            told.about.value,
            wishes.language,
            text,
            f"{notices.place}/wallet",
            stop,
            secure,
            _SECONDS.get(told.about, 86_400),
            shown=notices.showing.ticket(lane.notice),
            more_url=more,
            actions=[more_written(wishes.language, stops=bool(stop))],
        )
        return made if asked is None else self._answerable(found, made, asked.payment)

    def _answerable(self, found: Pending, made: Notice, payment: Payment) -> Notice:
        """Let one ask be answered from its notice: approved only where that shows the amount."""
        notices, wishes = self._notices, found.listener.wishes
        approves = not found.ward and notices.may_approve(wishes, payment)
        actions = answers_written(wishes.language)
        return replace(
            made,
            open_url=f"{notices.place}/wallet/payments/{payment.id}",
            seconds=max(1, (payment.ask_ends_ns - self._ctx.clock()) // NS),
            subject=payment.id,
            ticket=notices.ask_ticket(found.lane.person, payment, approves=approves),
            short_url=notices.short_url(payment),
            actions=actions if approves else actions[1:],
        )

    async def _still_asked(self, events: Sequence[Event], person: str) -> dict[str, Asked]:
        """Read the asks that wait for this person's answer still: others are not worth telling."""
        idents = [one.subject for one in events if one.kind in ASKING]
        if not idents:
            return {}
        found = await self._ctx.database.read(lambda tx: asked_about(tx, idents))
        now = self._ctx.clock()
        return {
            ident: asked
            for ident, asked in found.items()
            if asked.payment.state is State.AWAITING
            and asked.payment.ask_ends_ns > now
            and all(said.who != person for said in read_said(asked.payment.answers))
        }

    async def _later(
        self, lane: NoticeLane, tries: Sequence[NoticeTry], asks: dict[str, Asked]
    ) -> int | None:
        """Try again later what no way has taken, as long as it matters."""
        now, attempts = self._ctx.clock(), lane.attempts
        if asks:
            again = now + _ASK_AGAIN_SECONDS * NS
        elif attempts <= len(_AGAIN_SECONDS):
            again = now + _AGAIN_SECONDS[attempts - 1] * NS
        else:
            log.info("notices.gave_up", person=lane.person, lane=lane.name)
            return await self._over(lane, tries)
        self._mine.discard(lane.id)
        await self._record(EndNotice(lane, tries, again))
        return again

    async def _over(self, lane: NoticeLane, tries: Sequence[NoticeTry]) -> int:
        self._mine.discard(lane.id)
        await self._record(EndNotice(lane, tries))
        return self._ctx.clock()  # There may be more.

    async def _record(self, unit: EndNotice) -> None:
        # What was sent is sent whether or not we are told to end meanwhile: write it down.
        await asyncio.shield(self._ctx.books.commit_one(unit))

    def _try(self, found: Pending, address: Address | None, posted: Posted) -> NoticeTry:
        ctx, lane = self._ctx, found.lane
        return NoticeTry(
            ctx.fresh_name("ntr"),
            lane.person,
            lane.owner,
            lane.notice,
            lane.lane.about.value,
            "" if address is None else address.way,
            "" if address is None else address.id,
            len(found.events),
            lane.attempts,
            posted.status,
            posted.fault,
            posted.took_ms,
            ctx.clock(),
        )


def _first(found: Pending, count: int) -> Pending:
    events = found.events[:count]
    return found._replace(events=events, newest=events[-1].number, more=False)
