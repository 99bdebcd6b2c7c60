"""The network between clients and hubs: it takes its time, and loses, doubles and delays."""

import asyncio
from random import Random

from simulation.faults import Faults
from simulation.hubs import HubMachine
from simulation.loop import SeededLoop, at_place
from simulation.wire import BROKEN, Answer, App, Fields, Request, serve

_USUAL_SECONDS = 0.002
_LATE_SECONDS = 30.0
_HELD_BACK_SECONDS = 0.2
_PATIENCE_SECONDS = 5.0
_REFUSED = 400


class Exchange:
    """One request on its way, and who waits for its answer.

    Shape: `number` counts all of them; `spoiled` is what is to blame if nothing is heard.
    """

    def __init__(
        self, number: int, request: Request, client: str, heard: asyncio.Future[Answer | None]
    ) -> None:
        self.number, self.request, self.client = number, request, client
        self.heard, self.spoiled, self.served = heard, "", 0
        self.held_back = self.strayed = False

    @property
    def waits(self) -> bool:
        """Whether its client still waits."""
        return not self.heard.done()

    def hear(self, answer: Answer | None) -> None:
        """Let the client hear this, or that nothing came."""
        if self.waits:
            self.heard.set_result(answer)


class Network:
    """Carries requests to a hub and answers back."""

    def __init__(self, loop: SeededLoop, luck: Random, faults: Faults) -> None:
        self._loop, self._luck, self._faults = loop, luck, faults
        self._here = at_place("network")
        self._sent = 0
        self.wrong: list[str] = []
        self._newest: dict[tuple[str, str], int] = {}

    async def ask(self, hub: HubMachine, request: Request, client: str) -> Answer | None:
        """Send a request, and give its answer; None if none came in time."""
        self._sent += 1
        exchange = Exchange(self._sent, request, client, self._loop.create_future())
        if (
            hub.other is not None
            and request.door != "operator"
            and self._faults.strikes("misdirected")
        ):
            exchange.strayed = True
            self._send(hub.other, exchange)
        else:
            self._send(hub, exchange)
        waiting = self._loop.call_later(_PATIENCE_SECONDS, exchange.hear, None)
        answer = await exchange.heard
        waiting.cancel()
        if answer is None:
            if exchange.spoiled:
                self._faults.count(exchange.spoiled)
            elif hub.is_slow and exchange in hub.unanswered:
                self._faults.count("disk-slow")
        return answer

    def _usual(self) -> float:
        return self._luck.expovariate(1 / _USUAL_SECONDS)

    def _send(self, hub: HubMachine, exchange: Exchange) -> None:
        if self._faults.strikes("request-lost"):
            exchange.spoiled = "request-lost"
            return
        delay = self._usual()
        if self._faults.strikes("request-late"):
            delay += self._luck.random() * _LATE_SECONDS
        if self._faults.strikes("request-overtaken"):
            exchange.held_back = True
            delay += self._luck.random() * _HELD_BACK_SECONDS
        self._later(delay, hub, exchange)
        if self._faults.strikes("request-doubled"):
            self._later(delay + self._luck.random() * 2, hub, exchange)

    def _later(self, delay: float, hub: HubMachine, exchange: Exchange) -> None:
        self._loop.call_later(delay, self._arrive, hub, exchange, context=self._here)

    def _arrive(self, hub: HubMachine, exchange: Exchange) -> None:
        app = hub.app_for(exchange.request)
        if app is None:
            self._loop.call_later(self._usual(), exchange.hear, BROKEN, context=self._here)
            return
        self._look_at_order(hub, exchange)
        hub.unanswered.add(exchange)
        work = self._serve(hub, exchange, app, late=not exchange.waits)
        self._loop.create_task(work, context=hub.context)
        if self._faults.strikes("connection-cut"):
            delay = self._luck.random() * _USUAL_SECONDS
            self._loop.call_later(delay, self._cut, hub, exchange, context=self._here)

    def _look_at_order(self, hub: HubMachine, exchange: Exchange) -> None:
        whose = (hub.name, exchange.client)
        newest = self._newest.get(whose, 0)
        if exchange.number < newest and exchange.held_back:
            self._faults.count("request-overtaken")
        self._newest[whose] = max(newest, exchange.number)

    def _cut(self, hub: HubMachine, exchange: Exchange) -> None:
        if exchange.waits and exchange in hub.unanswered:
            self._faults.count("connection-cut")
            exchange.hear(BROKEN)

    async def _serve(self, hub: HubMachine, exchange: Exchange, app: App, *, late: bool) -> None:
        hearing = _Leaving(self, hub, exchange, late=late)
        await serve(app, exchange.request, exchange.client, hearing)

    def is_over(self, place: str) -> bool:
        """Tell whether a hub's life is over."""
        return self._loop.is_dead(place)

    def left(self, hub: HubMachine, exchange: Exchange, answer: Answer, *, late: bool) -> None:
        """Take what left a hub on its way back."""
        hub.unanswered.discard(exchange)
        if exchange.strayed:
            answer = self._strayed(answer)
        self._loop.call_soon(self._answered, exchange, answer, late, context=self._here)

    def _strayed(self, answer: Answer) -> Answer:
        """Break the connection: its client sees that this is not the hub that it knows."""
        if answer.status >= _REFUSED or _pays_nothing(answer):
            self._faults.count("misdirected")
        else:
            self.wrong.append(f"a hub answered what was meant for another: {answer}")
        return BROKEN

    def _answered(self, exchange: Exchange, answer: Answer, late: bool) -> None:
        exchange.served += 1
        if exchange.served == 2:
            self._faults.count("request-doubled")
        elif late:
            self._faults.count("request-late")
        if self._faults.strikes("answer-lost"):
            exchange.spoiled = exchange.spoiled or "answer-lost"
            return
        delay = self._usual()
        if self._faults.strikes("answer-late"):
            exchange.spoiled = exchange.spoiled or "answer-late"
            delay += self._luck.random() * _LATE_SECONDS
        self._loop.call_later(delay, exchange.hear, answer, context=self._here)


class _Leaving:
    """An answer that leaves a hub, as long as that lives."""

    def __init__(
        self, network: Network, hub: HubMachine, exchange: Exchange, *, late: bool
    ) -> None:
        self._network, self._hub, self._exchange, self._late = network, hub, exchange, late
        self._place = hub.place

    def head(self, status: int, headers: Fields) -> None:
        """Have a shop note what somebody may know from here on."""
        shop = self._hub.shop
        if shop is not None and self._exchange.request.door == "shop" and self._lives:
            shop.began_to_answer(status, headers)

    def whole(self, answer: Answer) -> None:
        """Pass it on."""
        if self._lives:
            self._network.left(self._hub, self._exchange, answer, late=self._late)

    @property
    def _lives(self) -> bool:
        """Whether it has not ended while it wrote: then nobody hears what it meant to say."""
        return not self._network.is_over(self._place)


def _pays_nothing(answer: Answer) -> bool:
    """Tell whether it answers a batch, each order of which was refused unrecorded."""
    batch = answer.told.get("payments")
    return batch is not None and not any(item["id"] for item in batch)
