"""What a request costs: the offer it falls under, and the terms on which its payment is asked."""

from typing import Protocol

from farthing.clock import NS, Clock
from farthing.core.paths import Path
from farthing.core.prices import Found, Offer, PriceList
from farthing.core.usage import Usage
from farthing.errors import FarthingError
from farthing.protocols.base import Terms
from farthing.protocols.mpp_session import SessionTerms
from farthing.web.asgi import App
from farthing.web.body import content_digest
from farthing.web.for_sale import ForSale, standing
from farthing.web.incoming import Incoming
from farthing.web.limits import Limits
from farthing.web.priced_routes import offer_of_route, offers_of_routes
from farthing.web.problems import HttpProblem
from farthing.web.rooted import readings
from farthing.web.trust import Trust
from farthing.web.unpaid import refused_path


class Prices(Protocol):
    """Something that knows the price list in force: a `PriceList`, or a `PriceBook`."""

    def current(self) -> PriceList: ...


class PriceDesk:
    """Finds prices in a list or book and beside the endpoints of `app`, and states terms.

    Shape: `realm` and `payee` are used where the price list names none.
    """

    def __init__(
        self,
        app: App | None,
        prices: Prices,
        hub_id: str,
        realm: str,
        payee: str,
        trust: Trust,
        limits: Limits,
        clock: Clock,
    ) -> None:
        self.app, self.prices, self.trust = app, prices, trust
        self.realm, self.payee = realm, payee
        self._hub_id, self._limits, self._clock = hub_id, limits, clock

    def find(self, request: Incoming) -> tuple[Offer | None, bool]:
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

    def has_price(self, request: Incoming) -> bool:
        """Tell whether there is a price for a request, whether or not it is valid now."""
        offer = self._offer_of_route(request) or self._look_up(request).offer
        return offer is not None and offer.price.units > 0

    def is_free(self, request: Incoming) -> bool:
        """Tell whether a request would reach the app unpaid."""
        try:
            return self.find(request) == (None, False)
        except FarthingError:
            return False

    def readings(self, request: Incoming) -> list[Path]:
        """Give the paths that the app may take a request's path for."""
        roots = (request.scope.get("root_path") or "", getattr(self.app, "root_path", None) or "")
        return readings(request.path, roots)

    def sale(self, request: Incoming) -> tuple[ForSale, str]:
        """Give what is for sale now, and the origin to buy it at."""
        prices = self.prices.current()
        tagged = [*offers_of_routes(self.app), *offers_of_routes(request.scope.get("app"))]
        origin = f"{self.trust.scheme(request)}://{prices.realm or self.realm}"
        return standing(prices, tagged, self._now()), origin

    def url(self, request: Incoming) -> str:
        """Give the address under which a request's client knows what it asks for."""
        return f"{self.trust.scheme(request)}://{request.host}{request.target}"

    def terms(self, request: Incoming, offer: Offer, body: bytes) -> Terms:
        """State what is to be paid for a request."""
        prices = self.prices.current()
        return Terms(
            realm=prices.realm or self.realm,
            hub=self._hub_id,
            payee=offer.payee or prices.payee or self.payee,
            asset=offer.price.asset.code,
            amount=offer.price.units,
            resource=request.resource,
            url=self.url(request),
            description=offer.description,
            body_digest=content_digest(body),
            lifetime_seconds=self._limits.challenge_seconds,
        )

    def session_terms(self, offer: Offer, usage: Usage) -> SessionTerms:
        """State how what is metered is paid for."""
        prices = self.prices.current()
        return SessionTerms(
            hub=self._hub_id,
            payee=offer.payee or prices.payee or self.payee,
            realm=prices.realm or self.realm,
            usage=usage,
            description=offer.description,
            lifetime_seconds=self._limits.challenge_seconds,
        )

    def _offer_of_route(self, request: Incoming) -> Offer | None:
        own = offer_of_route(self.app, request.scope)
        return own or offer_of_route(request.scope.get("app"), request.scope)

    def _look_up(self, request: Incoming) -> Found:
        prices, now = self.prices.current(), self._now()
        ways = [prices.find(request.method, path, now) for path in self.readings(request)]
        return next((found for found in ways if found.priced), ways[0])

    def _now(self) -> int:
        return self._clock() // NS


__all__ = ["PriceDesk", "Prices"]
