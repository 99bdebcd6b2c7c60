"""What a seller is told where its hub answers oddly."""

import httpx
import pytest

from farthing.errors import FarthingError
from farthing.money import Asset
from farthing.selling import offers_now, who_is

HUB = {"hub": "abc", "assets": [{"code": "USD", "scale": 6}]}


def answering(told) -> httpx.Client:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=told))
    return httpx.Client(transport=transport, base_url="http://hub.example")


def test_a_hub_says_who_it_is_and_what_it_counts():
    assert who_is(answering(HUB | {"newer": 1})) == ("abc", {"USD": Asset("USD", 6)})


@pytest.mark.parametrize(
    "told",
    [
        {},
        [],
        "hub",
        {"hub": "abc"},
        {"assets": []},
        HUB | {"assets": [{"code": "USD"}]},
        HUB | {"assets": ["USD"]},
        HUB | {"assets": [{"code": "usd", "scale": 6}]},
        HUB | {"assets": [{"code": "USD", "scale": "6"}]},
    ],
)
def test_what_is_no_hub_is_told_in_words(told):
    with pytest.raises(FarthingError) as raised:
        who_is(answering(told))
    assert raised.value.code == "malformed-answer"


@pytest.mark.parametrize("told", [{}, [], "items", {"items": "none"}, {"items": [1]}])
def test_what_is_no_list_of_offers_is_told_in_words(told):
    with pytest.raises(FarthingError) as raised:
        offers_now(answering(told))
    assert raised.value.code == "malformed-page"


def test_offers_are_given_as_the_hub_shows_them():
    assert offers_now(answering({"items": [{"id": "off_1"}], "next": None})) == [{"id": "off_1"}]
