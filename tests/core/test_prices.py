"""Which price a request meets."""

import pytest

from farthing.core.paths import normal_path
from farthing.core.prices import BadPrice, Offer, PriceList, parse_pattern
from farthing.money import Amount, Asset

USD = Asset("USD", 6)


def offer(path: str, units: int = 1, **more) -> Offer:
    return Offer(name=path, path=path, price=Amount(units, USD), **more)


def found(prices: PriceList, path: str, method: str = "GET", now: int = 0):
    return prices.find(method, normal_path(path.encode()), now)


def test_the_most_specific_pattern_wins_whatever_the_order():
    offers = [offer("/*"), offer("/a/*"), offer("/a/{x}"), offer("/a/b"), offer("/a/{x}/c")]
    offers += [offer("/a/b/{y}")]
    for listed in (offers, offers[::-1]):
        prices = PriceList(tuple(listed))
        for path, name in (
            ("/a/b", "/a/b"),
            ("/a/other", "/a/{x}"),
            ("/a/x/c", "/a/{x}/c"),
            ("/a/b/c", "/a/b/{y}"),
            ("/a/x/y/z", "/a/*"),
            ("/a/", "/a/*"),
            ("/elsewhere", "/*"),
        ):
            assert found(prices, path).offer.name == name, path


def test_patterns_match_whole_decoded_segments():
    pattern = parse_pattern("/caf%C3%A9/{name}")
    assert pattern.matches(("café", "x")) and not pattern.matches(("café", ""))
    assert not pattern.matches(("café",)) and not pattern.matches(("café", "x", ""))
    assert not parse_pattern("/a/*").matches(("a",))


@pytest.mark.parametrize(
    "path", ["a", "/a/../b", "/a//b", "/a*", "/a/*/b", "/x{y}", "/{Y}", "/a;b"]
)
def test_a_pattern_that_means_nothing_is_refused(path):
    with pytest.raises(BadPrice):
        PriceList((offer(path),))


def test_head_costs_what_get_costs_and_other_methods_are_named():
    prices = PriceList((offer("/a", 5, methods=frozenset({"GET"})),))
    assert found(prices, "/a", "HEAD").offer.price.units == 5
    refused = found(prices, "/a", "POST")
    assert (refused.refusal, refused.methods) == ("unpriced-method", {"GET"})


def test_a_less_specific_price_serves_a_method_the_specific_one_lacks():
    prices = PriceList((offer("/a/b", methods=frozenset({"POST"})), offer("/a/*")))
    assert found(prices, "/a/b", "GET").offer.name == "/a/*"


def test_prices_follow_one_another_in_time():
    prices = PriceList(
        (offer("/a", 1, valid_until=100), offer("/a", 2, valid_from=100, valid_until=200))
    )
    assert found(prices, "/a", now=99).offer.price.units == 1
    assert found(prices, "/a", now=100).offer.price.units == 2
    assert found(prices, "/a", now=200).refusal == "offer-not-valid"


def test_two_prices_for_the_same_thing_are_an_error():
    for other in (offer("/a/{y}"), offer("/a/{x}", methods=frozenset({"GET", "POST"}))):
        with pytest.raises(BadPrice, match="two prices"):
            PriceList((offer("/a/{x}"), other))
    PriceList((offer("/a"), offer("/a", methods=frozenset({"POST"}))))


def test_what_lies_under_a_prefix_fails_closed_in_any_letter_case():
    prices = PriceList((offer("/paid/a"),), prefixes=("/paid", "/straße/"))
    for path in ("/paid", "/paid/", "/paid/b", "/PAID/A", "/STRASSE/x"):
        assert found(prices, path).refusal == "unpriced-path", path
    assert found(prices, "/paidx") == found(prices, "/") == (None, "", frozenset())
    assert found(PriceList(prefixes=("/",)), "/anything").refusal == "unpriced-path"


@pytest.mark.parametrize(
    "more",
    [
        {"methods": frozenset({"TRACE"})},
        {"methods": frozenset()},
        {"rerun": -1},
        {"rerun": 1, "methods": frozenset({"POST"})},
        {"valid_from": 5, "valid_until": 5},
    ],
)
def test_an_offer_that_contradicts_itself_is_refused(more):
    with pytest.raises(BadPrice):
        offer("/a", **more)
