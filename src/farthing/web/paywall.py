"""`Paywall`: prices on any ASGI app, as a middleware or beside each endpoint."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, NoReturn, Protocol, Self, TypeVar

from farthing.clock import NS, Clock, system_clock
from farthing.core.paths import Path
from farthing.core.prices import Found, Offer, PriceList
from farthing.core.usage import Usage
from farthing.errors import BadConfig, FarthingError, Unavailable, present
from farthing.log_lines import Log
from farthing.money import Asset
from farthing.protocols.base import BadCredential, Language, Terms
from farthing.protocols.mpp_session import SessionTerms
from farthing.services.hub import Hub
from farthing.services.watch import UNWATCHED, Seen, Watch
from farthing.services.watched_hub import WatchedHub
from farthing.sharing import Room
from farthing.web import settlement
from farthing.web.asgi import App, Message, Receive, Scope, Send
from farthing.web.body import check_digest, content_digest, read_body
from farthing.web.challenges import Challenges, accepted
from farthing.web.discovery import OPENAPI
from farthing.web.for_sale import standing
from farthing.web.guard import Intake
from farthing.web.incoming import Incoming, is_websocket, read_request
from farthing.web.keyed import once_key
from farthing.web.limits import Limits
from farthing.web.machine_pages import MachinePages
from farthing.web.metered_till import MeteredAsk, MeteredTill
from farthing.web.pace import Pace
from farthing.web.paid_socket import PaidSocket
from farthing.web.passing import telling
from farthing.web.price_file import PriceBook
from farthing.web.priced_routes import offer_of_route, offers_of_routes, priced
from farthing.web.problems import Answer, HttpProblem, problem_answer, send_answer
from farthing.web.rooted import readings
from farthing.web.till import Deal, Till
from farthing.web.trust import Trust
from farthing.web.unpaid import refuse_websocket, refused_path, without_body

log = Log("paywall")

RESOURCE_CHARACTERS_MAX = 2048

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class Prices(Protocol):
    """Something that knows the price list in force: a `PriceList`, or a `PriceBook`."""

    def current(self) -> PriceList: ...


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
        self._app = app
        self._hub_id = hub_id
        self._assets = dict(assets)
        self._prices: Prices = prices or PriceList()
        self._realm = realm
        self._payee = payee
        self._trust = Trust(trusted_proxies)
        self._limits = limits or Limits()
        self._clock = clock
        self._challenges = Challenges(languages, self._assets, clock)
        self._watch = watch
        watched = hub if watch is UNWATCHED else WatchedHub(hub, watch)
        self._till = Till(watched, self._challenges, self._assets, clock, self._limits)
        self._pace = Pace(
            lambda: clock() / NS, self._limits.asks_per_second, self._limits.asks_burst
        )
        self._pages = MachinePages(openapi)
        self._meters = meters
        if any(offer.usage is not None for offer in self._prices.current().offers):
            self._need_meters()
        self._unmetered: set[str] = set()
        self._bodies = Room(self._limits.bodies_memory_bytes)
        self._running: set[asyncio.Task[None]] = set()

    def wrap(self, app: App) -> Self:
        """Stand in front of `app`; `starlette_app.add_middleware(paywall.wrap)` works too."""
        self._app = app
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
        if self._app is None:
            raise BadConfig("no-app", "put the paywall around an app: paywall.wrap(app)")
        if scope["type"] == "lifespan":
            await self._app(scope, self._draining(receive), send)
        elif scope["type"] == "websocket":
            await self._websocket(self._app, scope, receive, send)
        else:
            with self._watch.request(scope["headers"]) as seen:
                await self._http(self._app, scope, receive, telling(send, seen), seen)

    def reload_prices(self) -> bool:
        """Read the price file again now, as on SIGHUP; tell whether new prices are in force."""
        return isinstance(self._prices, PriceBook) and self._prices.refresh(force=True)

    async def watch_prices(self, seconds: float = 1.0) -> None:
        """Follow the price file, if there is one, until cancelled."""
        if isinstance(self._prices, PriceBook):
            await self._prices.watch(seconds)

    @property
    def offers(self) -> int:
        """How many offers are in force; without any, all is free."""
        return len(self._prices.current().offers)

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
            offer, opened = self._find(request)
            if opened:
                passed = without_body(send)
            if offer is not None:
                self._admit(request, intake)
            met: Answer | Deal | MeteredAsk | None = None
            if offer is not None and offer.usage is not None:
                met = self._metered_ask(came, request, offer, offer.usage)
            elif offer is not None:
                met = await self._meet(request, offer, receive, intake)
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
        page = self._pages.asked(path.text for path in self._readings(request))
        if page:
            offer = self._offer_of_route(request) or self._look_up(request).offer
            if offer is not None and offer.price.units:
                return ""
            self._trust.check_private(request)
        return page

    async def _tell(
        self, page: str, app: App, request: Incoming, receive: Receive, send: Send
    ) -> None:
        prices = self._prices.current()
        tagged = [*offers_of_routes(self._app), *offers_of_routes(request.scope.get("app"))]
        sale = standing(prices, tagged, self._now())
        origin = f"{self._trust.scheme(request)}://{prices.realm or self._realm}"
        asks = app if self._is_free(self._pages.where(page, request)) else None
        await self._pages.tell(page, sale, origin, asks, request, receive, send)

    def _is_free(self, request: Incoming) -> bool:
        """Tell whether a request would reach the app unpaid."""
        try:
            return self._find(request) == (None, False)
        except FarthingError:
            return False

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
            self._pace.give_back(self._trust.address(deal.request))

    async def _meter(
        self, ask: MeteredAsk, app: App, receive: Receive, send: Send, seen: Seen
    ) -> None:
        seen.named("refused")
        meters = present(self._meters, "a metered ask was made by meters")
        if await meters.serve(ask, app, receive, send):
            seen.named("paid")
            self._pace.give_back(self._trust.address(ask.request))

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.debug("paywall.answer_broke_off", fault=task.exception())

    def _find(self, request: Incoming) -> tuple[Offer | None, bool]:
        """Find the price of a request, and whether it is a CORS preflight of a priced path.

        Raises: HttpProblem where no price is known and none may be skipped.
        """
        offer = self._offer_of_route(request)
        if offer is None:
            found = self._look_up(request)
            if found.refusal:
                return None, refused_path(request, found)
            offer = found.offer
        if offer is None or not offer.price.units:
            return None, False
        if not offer.valid_at(self._now()):
            raise HttpProblem(404, "offer-not-valid", "this is not for sale at this time")
        return offer, False

    def _offer_of_route(self, request: Incoming) -> Offer | None:
        own = offer_of_route(self._app, request.scope)
        return own or offer_of_route(request.scope.get("app"), request.scope)

    def _readings(self, request: Incoming) -> list[Path]:
        roots = (request.scope.get("root_path") or "", getattr(self._app, "root_path", None) or "")
        return readings(request.path, roots)

    def _look_up(self, request: Incoming) -> Found:
        prices, now = self._prices.current(), self._now()
        ways = [prices.find(request.method, path, now) for path in self._readings(request)]
        return next((found for found in ways if found.priced), ways[0])

    def _admit(self, request: Incoming, intake: Intake) -> None:
        """Refuse what no price is told to."""
        self._trust.check_private(request)
        if request.scope["type"] == "http" and is_websocket(request):
            raise HttpProblem(501, "websocket-refused", "this server takes no WebSockets")
        if len(request.resource) > RESOURCE_CHARACTERS_MAX:
            limit = f"method, path and query have at most {RESOURCE_CHARACTERS_MAX} characters"
            raise HttpProblem(414, "target-too-long", limit)
        intake.who = self._trust.address(request)
        self._pace.take(intake.who)

    def _metered_ask(
        self, came: Scope, request: Incoming, offer: Offer, usage: Usage
    ) -> MeteredAsk:
        if self._meters is None:
            self._cannot_meter(offer)
        prices = self._prices.current()
        terms = SessionTerms(
            hub=self._hub_id,
            payee=offer.payee or prices.payee or self._payee,
            realm=prices.realm or self._realm,
            usage=usage,
            description=offer.description,
            lifetime_seconds=self._limits.challenge_seconds,
        )
        return MeteredAsk(came, request, offer, terms, self._url(request))

    def _cannot_meter(self, offer: Offer) -> NoReturn:
        """Refuse what was put up for sale after the start; the seller is told once an offer."""
        if offer.name not in self._unmetered:
            self._unmetered.add(offer.name)
            log.error("paywall.no_meters", offer=offer.name, pattern=offer.path)
        raise Unavailable("no-meters", "this is sold by sessions, which are not metered here")

    def _need_meters(self) -> MeteredTill:
        if self._meters is None:
            raise BadConfig("no-meters", "a metered price needs a file for its meters")
        return self._meters

    def _url(self, request: Incoming) -> str:
        return f"{self._trust.scheme(request)}://{request.host}{request.target}"

    async def _meet(
        self, request: Incoming, offer: Offer, receive: Receive, intake: Intake
    ) -> Answer | Deal:
        """Ask for the payment, or read it."""
        credential = self._challenges.credential(request)
        body: bytes | None = None
        if offer.bind_body and request.scope["type"] == "http":
            body = await read_body(
                request,
                receive,
                bytes_max=self._limits.body_bytes,
                seconds_max=self._limits.body_seconds,
                adds=intake.add,
            )
            check_digest(request.values(b"content-digest"), body)
        terms = self._terms(request, offer, body or b"")
        if credential is None:
            return self._challenges.payment_required(terms, accept=accepted(request))
        language, fields = credential
        stale: BadCredential | None = None
        try:
            signed = language.read(fields, terms, self._clock())
        except BadCredential as problem:
            if problem.answer_status != 402:
                raise
            if problem.stale is None:
                return self._challenges.payment_required(
                    terms, problem, language, accepted(request)
                )
            signed, stale = problem.stale, problem
        return Deal(
            request=request,
            offer=offer,
            terms=terms,
            language=language,
            signed=signed,
            body=body,
            stale=stale,
            once=once_key(request, offer, terms, language, fields, signed),
        )

    def _terms(self, request: Incoming, offer: Offer, body: bytes) -> Terms:
        prices = self._prices.current()
        return Terms(
            realm=prices.realm or self._realm,
            hub=self._hub_id,
            payee=offer.payee or prices.payee or self._payee,
            asset=offer.price.asset.code,
            amount=offer.price.units,
            resource=request.resource,
            url=self._url(request),
            description=offer.description,
            body_digest=content_digest(body),
            lifetime_seconds=self._limits.challenge_seconds,
        )

    async def _websocket(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            request = read_request(scope)
            offer, _ = self._find(request)
            met: Answer | Deal | MeteredAsk | None = None
            if offer is not None:
                met = await self._meet_socket(scope, request, offer, receive)
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

    async def _meet_socket(
        self, came: Scope, request: Incoming, offer: Offer, receive: Receive
    ) -> Answer | Deal | MeteredAsk:
        """Ask for the payment of a WebSocket, or read it.

        Raises: FarthingError.
        """
        with Intake(self._bodies) as intake:
            self._admit(request, intake)
            if offer.usage is None:
                return await self._meet(request, offer, receive, intake)
        return self._metered_ask(came, request, offer, offer.usage)

    async def _meter_socket(self, ask: MeteredAsk, app: App, receive: Receive, send: Send) -> None:
        """Serve a metered WebSocket to its end."""
        meters = present(self._meters, "a metered ask was made by meters")
        refused = await meters.serve_socket(ask, app, receive, send)
        if refused is None:
            self._pace.give_back(self._trust.address(ask.request))
        else:
            await refuse_websocket(ask.came, receive, send, refused)

    async def _settle_socket(self, deal: Deal, app: App, receive: Receive, send: Send) -> None:
        socket = PaidSocket(app, deal.request.scope, send)
        if await self._till.settle(deal, socket.app, receive, socket.send):
            self._pace.give_back(self._trust.address(deal.request))

    def _now(self) -> int:
        return self._clock() // NS
