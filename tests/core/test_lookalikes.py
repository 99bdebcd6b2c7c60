"""Paths that a forgiving server takes for a priced one are never free, nor cheaper."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.core.lookalikes import plain, plain_path
from farthing.core.paths import AmbiguousPath, normal_path
from farthing.core.prices import PriceList

from .test_prices import found, offer

PRICED = PriceList((offer("/paid"), offer("/r/{x}"), offer("/s/*"), offer("/caf%C3%A9.txt")))


@pytest.mark.parametrize(
    "path",
    [
        *("/PAID", "/Paid", "/paid/", "/paid.", "/paid%20", "/paid.%20.", "/paid/%20"),
        *("/paid.json", "/paid.tar.gz", "/paid:$DATA", "/paid::$DATA", "/PAID.XML/"),
        *("/%EF%BD%90aid", "/pa%E2%80%8Bid", "/pa%C2%ADid", "/%F0%9D%90%A9aid"),
        *("/R/x", "/r/x/", "/r/x/%20", "/s", "/S/", "/S/a", "/s.json", "/s%20/a"),
        *("/cafe%CC%81.txt", "/CAF%C3%89.TXT", "/caf%C3%A9.txt.bak", "/cafe.txt"),
        *("/paid%3F", "/paid%3Fx/y", "/paid%23x", "/%20paid", "/p%CC%81aid", "/r/x%3F/y"),
    ],
)
def test_what_only_looks_like_a_priced_path_is_refused(path):
    assert found(PRICED, path).refusal == "other-spelling"


@pytest.mark.parametrize(
    "path", ["/", "/pai", "/paidx", "/paid-x", "/x/paid", "/paid/x", "/r", "/r/x/y", "/.paid"]
)
def test_what_does_not_is_free(path):
    assert found(PRICED, path) == (None, "", frozenset())


def test_a_path_with_a_price_of_its_own_keeps_it():
    listed = (offer("/paid", 5), offer("/paid/", 5), offer("/PAID", 0), offer("/paid.json", 1))
    for path, units in (("/paid", 5), ("/paid/", 5), ("/PAID", 0), ("/paid.json", 1)):
        assert found(PriceList(listed), path).offer.price.units == units


def test_a_name_or_a_star_sells_no_dearer_path_under_another_spelling():
    prices = PriceList((offer("/a/gold", 100), offer("/a/{x}", 1), offer("/b/*", 1)))
    assert found(prices, "/a/gold").offer.price.units == 100
    for path in ("/a/GOLD", "/a/gold.", "/a/gold%20"):
        assert found(prices, path).refusal == "other-spelling"
    assert found(prices, "/a/gold.json").offer.price.units == 1
    free = PriceList((offer("/a/gold", 100), offer("/*", 0)))
    assert found(free, "/a/GOLD").refusal == found(free, "/a/gold/").refusal == "other-spelling"
    assert found(free, "/a/silver").offer.price.units == 0


def test_a_cheaper_path_may_be_spelled_by_a_dearer_pattern():
    prices = PriceList((offer("/a/penny", 1), offer("/a/{x}", 100)))
    assert found(prices, "/a/PENNY").offer.price.units == 100


def test_what_is_free_closes_nothing():
    prices = PriceList((offer("/free", 0),))
    assert found(prices, "/FREE") == found(prices, "/free/") == (None, "", frozenset())


def test_a_prefix_closes_what_looks_like_it_however_it_is_written():
    prices = PriceList(prefixes=("/caf%C3%A9", "/straße/", "/a/b"))
    for path in ("/CAF%C3%89/x", "/cafe%CC%81", "/STRASSE", "/a./B%20/x", "/a/b.json"):
        assert found(prices, path).refusal == "unpriced-path", path
    for path in ("/a", "/a/bc", "/a.json/b", "/a/b.v2/x"):
        assert not found(prices, path).refusal, path


@pytest.mark.parametrize(
    "raw", [b"/free%EF%BC%8Fpaid", b"/%EF%BC%8E%EF%BC%8E/paid", b"/%E2%80%A5", b"/a%EF%BC%85%32f"]
)
def test_other_forms_of_slash_dot_and_percent_are_refused(raw):
    with pytest.raises(AmbiguousPath):
        normal_path(raw)


@given(st.text(max_size=20))
def test_a_plain_spelling_is_its_own_plain_spelling_in_any_letter_case(text):
    assert plain(plain(text)) == plain(text)
    if text.isascii():
        assert plain(text.upper()) == plain(text.lower()) == plain(text + " . ")


@given(st.lists(st.text(max_size=3), max_size=4))
def test_a_last_slash_makes_no_difference(segments):
    assert plain_path([*segments, ""]) == plain_path(segments)
