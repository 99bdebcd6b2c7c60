"""Offers: what is for sale, and for how much."""

from farthing import ids
from farthing.clock import parse_time
from farthing.core.fees import FeeTerms
from farthing.core.listings import listing_origin, listing_url
from farthing.core.offers import OFFERS, OfferRecord, SetOffer, WithdrawOffer
from farthing.core.owners import Scope
from farthing.core.prices import METHODS, BadPrice, parse_pattern
from farthing.core.tariffs import read_tariff
from farthing.core.usage import Usage, measured
from farthing.errors import Malformed
from farthing.money import parse_units
from farthing.web.api import answers, bodies, shapes
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.lists import PAGED, list_table
from farthing.web.api.owners import ANY

SELLING = (Scope.OWNER, Scope.SELLER)


async def set_offer(call: Call) -> Reply:
    """Put up an offer."""
    body = call.body(bodies.OfferBody)
    wanted = _offer(body, call.desk.ctx.fresh_name("off"))
    return await call.once(SetOffer(wanted, call.asker.sees, True), shapes.show_offer, status=201)


async def change_offer(call: Call) -> Reply:
    """Set an offer anew, whole."""
    wanted = _offer(call.body(bodies.OfferBody), call.path["offer"])
    return await call.once(SetOffer(wanted, call.asker.sees, False), shapes.show_offer)


def _offer(body: bodies.OfferBody, ident: str) -> OfferRecord:
    ids.number("off", ident)
    usage = _usage(body)
    amount = _amount(body, usage)
    if body.method.upper() not in METHODS:
        raise Malformed("invalid-method", f"methods are {', '.join(sorted(METHODS))}")
    try:
        parse_pattern(body.path)
    except BadPrice as fault:
        raise Malformed("invalid-path", fault.detail) from None
    return OfferRecord(
        id=ident,
        owner="",
        payee=body.payee,
        method=body.method.upper(),
        path=body.path,
        asset=body.asset,
        amount=amount,
        description=body.description,
        category=body.category,
        valid_from=0 if body.valid_from is None else parse_time(body.valid_from),
        valid_until=0 if body.valid_until is None else parse_time(body.valid_until),
        free_for=body.free_for,
        listed_at=_listed_at(body),
        fee=_fee(body, ident),
        usage=usage,
    )


def _amount(body: bodies.OfferBody, usage: Usage | None) -> int:
    if (body.amount is None) == (usage is None):
        raise Malformed("malformed-offer", "an offer has an amount, or says how it is metered")
    amount = parse_units(body.amount or "0") if usage is None else usage.units
    if amount == 0:
        raise Malformed("nothing-to-pay", "an offer asks for at least one unit")
    return amount


def _usage(body: bodies.OfferBody) -> Usage | None:
    told = body.metered
    if told is None:
        return None
    tariff = read_tariff(told.tariff)
    if tariff.asset != body.asset:
        raise Malformed("malformed-tariff", f"the tariff counts {tariff.asset}")
    return measured(
        tariff,
        reserve=told.reserve,
        deposit=parse_units(told.deposit),
        lifetime_seconds=told.lifetime_seconds,
        grace_seconds=told.grace_seconds,
    )


def _fee(body: bodies.OfferBody, ident: str) -> FeeTerms | None:
    told = body.fee
    if told is None:
        return None
    ids.number("acc", told.account)
    return FeeTerms(
        of=ident,
        account=told.account,
        ppm=told.ppm,
        flat=parse_units(told.flat),
        minimum=parse_units(told.minimum),
        rounding=told.rounding,
        on_refund=told.on_refund,
    )


def _listed_at(body: bodies.OfferBody) -> str:
    if body.listed_at and body.metered is not None:
        detail = "a catalogue has one price each; a metered offer is found at its own 402"
        raise Malformed("malformed-listing", detail)
    if body.listed_at:
        listing_url(listing_origin(body.listed_at), body.path)
    return body.listed_at


async def list_offers(call: Call) -> Reply:
    """List offers."""
    return await list_table(call, OFFERS, "off", shapes.show_offer)


async def withdraw_offer(call: Call) -> Reply:
    """Withdraw an offer."""
    return await call.once(WithdrawOffer(call.path["offer"], call.asker.sees), shapes.show_offer)


ENDPOINTS = [
    Endpoint(
        "POST",
        "/v1/offers",
        "set_offer",
        "Put up an offer",
        set_offer,
        scopes=SELLING,
        body=bodies.OfferBody,
        status=201,
        answer=answers.OfferAnswer,
    ),
    Endpoint(
        "GET",
        "/v1/offers",
        "list_offers",
        "List offers",
        list_offers,
        scopes=ANY,
        query=PAGED,
        answer=answers.Page[answers.OfferAnswer],
    ),
    Endpoint(
        "PUT",
        "/v1/offers/{offer}",
        "change_offer",
        "Set an offer anew",
        change_offer,
        scopes=SELLING,
        body=bodies.OfferBody,
        answer=answers.OfferAnswer,
    ),
    Endpoint(
        "POST",
        "/v1/offers/{offer}/withdraw",
        "withdraw_offer",
        "Withdraw an offer",
        withdraw_offer,
        scopes=SELLING,
        answer=answers.OfferAnswer,
    ),
]
