"""`Paywall`: prices on any ASGI app, as a middleware or beside each endpoint."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Self, TypeVar

from farthing.clock import NS, Clock, system_clock
from farthing.core.prices import PriceList
from farthing.errors import BadConfig, FarthingError, present
from farthing.log_lines import Log
from farthing.money import Asset
from farthing.protocols.base import Language
from farthing.services.hub import Hub
from farthing.services.watch import UNWATCHED, Seen, Watch
from farthing.services.watched_hub import WatchedHub
from farthing.sharing import Room
from farthing.web import settlement
from farthing.web.asgi import App, Message, Receive, Scope, Send
from farthing.web.asking import Asking, Met
from farthing.web.challenges import Challenges
from farthing.web.discovery import OPENAPI
from farthing.web.guard import Intake
from farthing.web.incoming import Incoming, read_request
from farthing.web.limits import Limits
from farthing.web.machine_pages import MachinePages
from farthing.web.metered_till import MeteredAsk, MeteredTill
from farthing.web.pace import Pace
from farthing.web.paid_socket import PaidSocket
from farthing.web.passing import telling
from farthing.web.price_desk import PriceDesk, Prices
from farthing.web.price_file import PriceBook
from farthing.web.priced_routes import priced
from farthing.web.problems import Answer, problem_answer, send_answer
from farthing.web.till import Deal, Till
from farthing.web.trust import Trust
from farthing.web.unpaid import refuse_websocket, without_body

log = Log("paywall")

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class Paywall:
    """An ASGI app in front of another one, which lets through what is free or paid.

    Shape:  `hub` is embedded or remote; `languages` write and read payments; `prices` is a price
            list or book, and `@paywall.price(...)` puts prices beside endpoints; `realm`,
            `payee` are used where the price list names none; `trusted_proxies` may say that a
            request came over TLS; `watch` hears how requests end; `openapi` is where the app has
            a document of its own; `meters` serves what is sold by sessions.
    Raises: BadConfig when there is no language, `openapi` is no path, or what is priced now is
            metered and there are no `meters`.
    """

    def __init__(
        self,
        app: App | None = None,
        *,
        hub: Hub,
        hub_id: str,
        languages: Sequence[Language],
        assets: Mapping[str, Asset],
        prices: Prices | None = None,
        realm: str = "",
        payee: str = "",
        trusted_proxies: Iterable[str] = (),
        limits: Limits | None = None,
        clock: Clock = system_clock,
        watch: Watch = UNWATCHED,
        openapi: str = OPENAPI,
        meters: MeteredTill | None = None,
    ) -> None:
        if not languages:
            raise BadConfig("no-language", "a paywall speaks at least one payment language")
        self._assets = dict(assets)
        self._limits = limits or Limits()
        self._clock = clock
        trust = Trust(trusted_proxies)
        self._desk = PriceDesk(
            app, prices or PriceList(), hub_id, realm, payee, trust, self._limits, clock
        )
        self._challenges = Challenges(languages, self._assets, clock)
        self._watch = watch
        watched = hub if watch is UNWATCHED else WatchedHub(hub, watch)
        self._till = Till(watched, self._challenges, self._assets, clock, self._limits)
        self._pace = Pace(
            lambda: clock() / NS, self._limits.asks_per_second, self._limits.asks_burst
        )
        self._asking = Asking(self._desk, self._challenges, self._pace, self._limits, clock, meters)
        self._pages = MachinePages(openapi)
        self._meters = meters
        if any(offer.usage is not None for offer in self._desk.prices.current().offers):
            self._need_meters()
        self._bodies = Room(self._limits.bodies_memory_bytes)
        self._running: set[asyncio.Task[None]] = set()

    def wrap(self, app: App) -> Self:
        """Stand in front of `app`; `starlette_app.add_middleware(paywall.wrap)` works too."""
        self._desk.app = app
        return self

    def price(self, price: str, **offer: Any) -> Callable[[Endpoint], Endpoint]:
        """Put a price on a Starlette or FastAPI endpoint: `@paywall.price("0.001 USD")`.

        Shape:  `offer` takes what an offer in a price file takes, but for path and methods.
        Raises: MalformedPrice; BadPrice; BadConfig `no-meters`.
        """
        if offer.get("per"):
            self._need_meters()

        def decorate(endpoint: Endpoint) -> Endpoint:
            return priced(endpoint, price, self._assets, **offer)

        return decorate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        app = self._desk.app
        if app is None:
            raise BadConfig("no-app", "put the paywall around an app: paywall.wrap(app)")
        if scope["type"] == "lifespan":
            await app(scope, self._draining(receive), send)
        elif scope["type"] == "websocket":
            await self._websocket(app, scope, receive, send)
        else:
            with self._watch.request(scope["headers"]) as seen:
                await self._http(app, scope, receive, telling(send, seen), seen)

    def reload_prices(self) -> bool:
        """Read the price file again now, as on SIGHUP; tell whether new prices are in force."""
        prices = self._desk.prices
        return isinstance(prices, PriceBook) and prices.refresh(force=True)

    async def watch_prices(self, seconds: float = 1.0) -> None:
        """Follow the price file, if there is one, until cancelled."""
        prices = self._desk.prices
        if isinstance(prices, PriceBook):
            await prices.watch(seconds)

    @property
    def offers(self) -> int:
        """How many offers are in force; without any, all is free."""
        return len(self._desk.prices.current().offers)

    def figures(self) -> list[tuple[Any, ...]]:
        """Give what stands now, by the names of metrics: each its value, then its labels."""
        return [
            *(() if self._meters is None else self._meters.metering.figures()),
            ("farthing_paid_runs_open", len(self._running)),
            ("farthing_kept_answers_bytes", self._till.answers.bytes),
            ("farthing_money_not_given_back", settlement.unheard()),
            ("farthing_offers_in_force", self.offers),
        ]

    async def drain(self, seconds: float = 30.0) -> None:
        """Wait for the handlers that run under a payment, whoever is still connected."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)
        if self._meters is not None:
            await self._meters.aclose()

    def _draining(self, receive: Receive) -> Receive:
        async def until_drained() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self.drain()
            return message

        return until_drained

    async def _http(self, app: App, scope: Scope, receive: Receive, send: Send, seen: Seen) -> None:
        try:
            request = read_request(scope)
        except FarthingError as problem:
            await self._refuse(problem, scope, send, seen)
            return
        with Intake(self._bodies) as intake:
            await self._serve(app, scope, request, receive, send, seen, intake)

    async def _serve(
        self,
        app: App,
        came: Scope,
        request: Incoming,
        receive: Receive,
        send: Send,
        seen: Seen,
        intake: Intake,
    ) -> None:
        passed = send
        try:
            page = self._page_for_machines(request)
            if page:
                await self._tell(page, app, request, receive, send)
                return
            offer, opened = self._desk.find(request)
            if opened:
                passed = without_body(send)
            met: Met | None = None
            if offer is not None:
                met = await self._asking.meet(came, request, offer, receive, intake)
        except FarthingError as problem:
            await self._refuse(problem, request.scope, send, seen)
            return
        if isinstance(met, Answer):
            seen.named("asked")
            await send_answer(send, met, head=request.method == "HEAD")
        elif isinstance(met, MeteredAsk):
            await self._take(self._meter(met, app, receive, send, seen))
        elif met is None:
            await app(request.scope, receive, passed)
        else:
            await self._take(self._settle(met, app, receive, send, seen))

    async def _refuse(self, problem: FarthingError, scope: Scope, send: Send, seen: Seen) -> None:
        answer = problem_answer(problem, problem.more.pop("headers", ()))
        seen.named("turned-away")
        await send_answer(send, answer, head=scope["method"] == "HEAD")

    def _page_for_machines(self, request: Incoming) -> str:
        """Tell which page for machines is asked for that nobody has put a price on; or nothing.

        Raises: HttpProblem `tls-required`.
        """
        if not self._limits.discovery or request.method not in ("GET", "HEAD"):
            return ""
        page = self._pages.asked(path.text for path in self._desk.readings(request))
        if page:
            if self._desk.has_price(request):
                return ""
            self._desk.trust.check_private(request)
        return page

    async def _tell(
        self, page: str, app: App, request: Incoming, receive: Receive, send: Send
    ) -> None:
        sale, origin = self._desk.sale(request)
        asks = app if self._desk.is_free(self._pages.where(page, request)) else None
        await self._pages.tell(page, sale, origin, asks, request, receive, send)

    async def _take(self, settling: Coroutine[Any, Any, None]) -> None:
        """Settle in a task of its own: whoever hangs up or cancels, money is not left hanging."""
        task = asyncio.create_task(settling)
        self._running.add(task)
        task.add_done_callback(self._done)
        await asyncio.shield(task)

    async def _settle(self, deal: Deal, app: App, receive: Receive, send: Send, seen: Seen) -> None:
        seen.named("refused")
        if await self._till.settle(deal, app, receive, send):
            seen.named("paid")
            self._pace.give_back(self._desk.trust.address(deal.request))

    async def _meter(
        self, ask: MeteredAsk, app: App, receive: Receive, send: Send, seen: Seen
    ) -> None:
        seen.named("refused")
        meters = present(self._meters, "a metered ask was made by meters")
        if await meters.serve(ask, app, receive, send):
            seen.named("paid")
            self._pace.give_back(self._desk.trust.address(ask.request))

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.debug("paywall.answer_broke_off", fault=task.exception())

    def _need_meters(self) -> MeteredTill:
        if self._meters is None:
            raise BadConfig("no-meters", "a metered price needs a file for its meters")
        return self._meters

    async def _websocket(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            request = read_request(scope)
            offer, _ = self._desk.find(request)
            met: Met | None = None
            if offer is not None:
                with Intake(self._bodies) as intake:
                    met = await self._asking.meet(scope, request, offer, receive, intake)
        except FarthingError as problem:
            told = problem_answer(problem, problem.more.pop("headers", ()))
            await refuse_websocket(scope, receive, send, told)
            return
        if isinstance(met, Answer):
            await refuse_websocket(scope, receive, send, met)
        elif isinstance(met, MeteredAsk):
            await self._meter_socket(met, app, receive, send)
        elif met is None:
            await app(request.scope, receive, send)
        else:
            await self._take(self._settle_socket(met, app, receive, send))

    async def _meter_socket(self, ask: MeteredAsk, app: App, receive: Receive, send: Send) -> None:
        """Serve a metered WebSocket to its end."""
        meters = present(self._meters, "a metered ask was made by meters")
        refused = await meters.serve_socket(ask, app, receive, send)
        if refused is None:
            self._pace.give_back(self._desk.trust.address(ask.request))
        else:
            await refuse_websocket(ask.came, receive, send, refused)

    async def _settle_socket(self, deal: Deal, app: App, receive: Receive, send: Send) -> None:
        socket = PaidSocket(app, deal.request.scope, send)
        if await self._till.settle(deal, socket.app, receive, socket.send):
            self._pace.give_back(self._desk.trust.address(deal.request))
