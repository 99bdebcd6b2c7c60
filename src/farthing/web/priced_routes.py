"""Prices on the routes of a Starlette or FastAPI app, written beside the endpoint.

The app's own routes say which endpoint a request will reach, in the app's own order, and the
endpoint itself refuses to run unless it was paid under its own price: what is priced is what is
served, even where a middleware moves a request or nobody put the paywall around the app.
"""

import dataclasses
import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from farthing.core.prices import METHODS, Offer
from farthing.core.usage import USAGE, usage
from farthing.errors import BadConfig, ensure
from farthing.money import Amount, Asset, parse_price
from farthing.web.asgi import Scope
from farthing.web.till import paid_offer

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

MARK = "__farthing_offer__"
_DEPTH_MAX = 16


def priced(endpoint: Endpoint, price: str, assets: Mapping[str, Asset], **offer: Any) -> Endpoint:
    """Put a price on an endpoint function, and let it run only when that was paid.

    Raises: MalformedPrice; BadPrice; BadConfig `not-an-endpoint`.
    """
    if not inspect.isroutine(endpoint):
        raise BadConfig("not-an-endpoint", "put @paywall.price on a function")
    name = offer.pop("name", "") or f"{endpoint.__module__}.{endpoint.__qualname__}"
    tag = priced_offer(price, assets, name=name, **offer)
    guarded = _guarded(endpoint, tag)
    # Either function may be the one the framework knows: it depends on the decorators' order.
    setattr(endpoint, MARK, tag)
    setattr(guarded, MARK, tag)
    return guarded


def priced_offer(price: str, assets: Mapping[str, Asset], *, per: str = "", **offer: Any) -> Offer:
    """Make an offer of a price as it is written; with `per` it is metered.

    Shape:  what a metered price may say besides is the keywords of `usage`.
    Raises: MalformedPrice; BadPrice; Malformed `malformed-tariff`.
    """
    amount = parse_price(price, assets)
    if not per:
        return Offer(price=amount, **offer)
    metered = {name: offer.pop(name) for name in USAGE if name in offer}
    used = usage(amount, per, assets, **metered)
    return Offer(price=Amount(used.units, amount.asset), usage=used, **offer)


def _guarded(endpoint: Any, tag: Offer) -> Any:
    def check() -> None:
        paid = not tag.price.units or paid_offer.get() is tag
        ensure(paid, f"{tag.name} runs only behind its paywall")

    if inspect.isasyncgenfunction(endpoint):

        @functools.wraps(endpoint)
        async def async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any]:
            check()
            async for part in endpoint(*args, **kwargs):
                yield part

        return async_generator
    if inspect.isgeneratorfunction(endpoint):

        @functools.wraps(endpoint)
        def generator(*args: Any, **kwargs: Any) -> Generator[Any]:
            check()
            yield from endpoint(*args, **kwargs)

        return generator
    if inspect.iscoroutinefunction(endpoint):

        @functools.wraps(endpoint)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            check()
            return await endpoint(*args, **kwargs)

        return coroutine

    @functools.wraps(endpoint)
    def function(*args: Any, **kwargs: Any) -> Any:
        check()
        return endpoint(*args, **kwargs)

    return function


def offer_of_route(app: Any, scope: Scope, depth: int = 0) -> Offer | None:
    """Find the price of the endpoint that this app's routing will reach, if it has one."""
    for route in _routes(app):
        # A router may write into the scope it looks at; the request's own stays as it is.
        match, child = route.matches(dict(scope))
        if match.name != "FULL":
            continue
        inner = child.get("endpoint") or route
        if depth > _DEPTH_MAX:
            return None
        tag: Offer | None = getattr(inner, MARK, None)
        return tag or offer_of_route(inner, {**scope, **child}, depth + 1)
    return None


def offers_of_routes(app: Any, prefix: str = "", depth: int = 0) -> Iterator[Offer]:
    """Give every price beside an endpoint of this app, with its route's path and methods."""
    for route in _routes(app) if depth <= _DEPTH_MAX else ():
        tag: Offer | None = getattr(getattr(route, "endpoint", None), MARK, None)
        methods = frozenset(getattr(route, "methods", None) or ()) & METHODS
        if tag is not None and methods:
            path = prefix + route.path_format
            yield dataclasses.replace(tag, path=path, methods=methods, rerun=0)
        elif tag is None:
            # A mounted app has a path of its own; what is included has the whole path already.
            mounted = getattr(route, "app", None)
            inner = mounted if mounted is not None and _routes(mounted) else route
            below = prefix + (getattr(route, "path", None) or "")
            yield from offers_of_routes(inner, below, depth + 1)


def _routes(app: Any) -> Iterable[Any]:
    """Give the routes in their order; FastAPI resolves included routers when first asked."""
    resolve = getattr(app, "effective_candidates", None)
    return resolve() if resolve is not None else getattr(app, "routes", None) or ()
