"""Asking for the payment of a request, or reading the payment that came with it."""

from farthing.clock import Clock
from farthing.core.orders import RESOURCE_CHARACTERS_MAX
from farthing.core.places import place_of
from farthing.core.prices import Offer
from farthing.core.usage import Usage
from farthing.errors import Unavailable
from farthing.log_lines import Log
from farthing.protocols.base import BadCredential
from farthing.web.asgi import Receive, Scope
from farthing.web.body import check_digest, read_body
from farthing.web.challenges import Challenges, accepted
from farthing.web.guard import Intake
from farthing.web.incoming import Incoming, is_websocket
from farthing.web.keyed import once_key
from farthing.web.limits import Limits
from farthing.web.metered_till import MeteredAsk, MeteredTill
from farthing.web.pace import Pace
from farthing.web.price_desk import PriceDesk
from farthing.web.problems import Answer, HttpProblem
from farthing.web.till import Deal

log = Log("paywall")

Met = Answer | Deal | MeteredAsk
"""What a priced request comes to: a 402, an order to settle, or use to meter."""


class Asking:
    """Meets requests that have a price. Shape: without `meters` nothing is sold by sessions."""

    def __init__(
        self,
        desk: PriceDesk,
        challenges: Challenges,
        pace: Pace,
        limits: Limits,
        clock: Clock,
        meters: MeteredTill | None,
    ) -> None:
        self._desk, self._challenges, self._pace = desk, challenges, pace
        self._limits, self._clock, self._meters = limits, clock, meters
        self._unmetered: set[str] = set()

    async def meet(
        self, came: Scope, request: Incoming, offer: Offer, receive: Receive, intake: Intake
    ) -> Met:
        """Ask for the payment, or read it.

        Raises: FarthingError.
        """
        self._admit(request, intake)
        if offer.usage is not None:
            return self._metered(came, request, offer, offer.usage, place_of(intake.who))
        credential = self._challenges.credential(request)
        body = await self._bound_body(request, offer, receive, intake)
        terms = self._desk.terms(request, offer, body or b"")
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
            place=place_of(intake.who),
        )

    def _admit(self, request: Incoming, intake: Intake) -> None:
        """Refuse what no price is told to."""
        self._desk.trust.check_private(request)
        if request.scope["type"] == "http" and is_websocket(request):
            raise HttpProblem(501, "websocket-refused", "this server takes no WebSockets")
        if len(request.resource) > RESOURCE_CHARACTERS_MAX:
            limit = f"method, path and query have at most {RESOURCE_CHARACTERS_MAX} characters"
            raise HttpProblem(414, "target-too-long", limit)
        intake.who = self._desk.trust.address(request)
        self._pace.take(intake.who)

    async def _bound_body(
        self, request: Incoming, offer: Offer, receive: Receive, intake: Intake
    ) -> bytes | None:
        """Read a body that is part of what is signed; None where it streams past."""
        if not offer.bind_body or request.scope["type"] != "http":
            return None
        body = await read_body(
            request,
            receive,
            bytes_max=self._limits.body_bytes,
            seconds_max=self._limits.body_seconds,
            adds=intake.add,
        )
        check_digest(request.values(b"content-digest"), body)
        return body

    def _metered(
        self, came: Scope, request: Incoming, offer: Offer, usage: Usage, place: str
    ) -> MeteredAsk:
        if self._meters is None:
            self._say_unmetered(offer)
            raise Unavailable("no-meters", "this is sold by sessions, which are not metered here")
        terms = self._desk.session_terms(offer, usage)
        return MeteredAsk(came, request, offer, terms, self._desk.url(request), place)

    def _say_unmetered(self, offer: Offer) -> None:
        """Tell the seller, once an offer, of what was put up for sale after the start."""
        if offer.name not in self._unmetered:
            self._unmetered.add(offer.name)
            log.error("paywall.no_meters", offer=offer.name, pattern=offer.path)
