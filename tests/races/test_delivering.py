"""One credential two hundred times at once is one capture and one delivery, over restarts too."""

import asyncio
import contextlib
import itertools
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.web.api.town import body_of

from .market import PRICE, Market
from .wire import Ask, Told, at_once

MANY = 200
LANGUAGES = ("mpp", "x402")


def a_path(mode: str) -> str:
    """Name something that was never sold before."""
    return f"/{mode}/{secrets.token_hex(8)}"


def show(
    market: Market, path: str, credentials: list[dict[str, str]], method: str = "GET"
) -> list[Told]:
    """Show credentials to the shops in turn, all at one moment."""
    return asyncio.run(at_once(asks_of(market, path, credentials, method)))


def asks_of(
    market: Market, path: str, credentials: list[dict[str, str]], method: str = "GET"
) -> list[Ask]:
    """Write a request for each credential, to the shops in turn."""
    shops = itertools.cycle(market.shops)
    return [Ask(next(shops).url, method, path, None, fields) for fields in credentials]


def served(told: list[Told]) -> int:
    """Count who got the goods."""
    return sum(answer.status == 200 for answer in told)


def told_plainly(told: list[Told]) -> bool:
    """Tell whether whoever got no goods was told that the payment stands, and no new price."""
    codes = {answer.code for answer in told if answer.status != 200}
    return codes <= {"payment-in-progress", "already-paid"}


@pytest.mark.rule("mpp.concurrent-use", on="middleware")
@pytest.mark.parametrize(("language", "mode"), [("mpp", "held"), ("x402", "charged")])
def test_a_credential_shown_two_hundred_times_to_two_shops_is_delivered_once(
    street: Market, language: str, mode: str
):
    buyer, path = street.buyer(), a_path(mode)
    credential = street.credential(buyer, path, language)
    told = show(street, path, [credential] * MANY)
    again = show(street, path, [credential] * 20)
    # All are served that asked the shop which has the goods; nobody is asked to pay again.
    assert (served(told), served(again)) == (MANY // 2, 10)
    assert told_plainly(told + again)
    assert {answer.body for answer in told if answer.status == 200} == {path.encode()}
    assert street.goods.runs[path] == 1
    assert (street.spent(buyer), len(street.payments(buyer))) == (PRICE, 1)


def test_both_languages_of_one_price_at_once_are_two_payments_each_served_once(street: Market):
    buyer, path = street.buyer(), a_path("held")
    credentials = [street.credential(buyer, path, language) for language in LANGUAGES]
    told = show(street, path, [c for c in credentials for _ in range(2)] * 10)
    assert served(told) > 0 and told_plainly(told)
    assert street.goods.runs[path] == 2
    assert street.spent(buyer) == 2 * PRICE


def test_credentials_of_both_languages_under_one_key_are_one_delivery(street: Market):
    """Each is signed anew: what makes them one is the buyer's `Idempotency-Key`."""
    buyer, path = street.buyer(), a_path("held")
    key = {"idempotency-key": secrets.token_hex(8)}
    asked = [
        street.credential(buyer, path, language, method="POST") | key for language in LANGUAGES * 5
    ]
    told = show(street, path, asked * 5, "POST")
    assert served(told) > 0 and told_plainly(told)
    assert street.goods.runs[path] == 1
    assert street.spent(buyer) == PRICE


def test_an_asked_owner_approves_while_the_device_comes_back_again_and_again(street: Market):
    buyer, path = street.buyer(ask_above="1"), a_path("held")
    credential = street.credential(buyer, path, "mpp")
    told = show(street, path, [credential] * 20)
    assert {(answer.status, answer.code) for answer in told} == {(403, "awaiting-owner")}
    [payment] = street.payments(buyer)
    approve = street.asks(f"/v1/payments/{payment['id']}/approve", [None] * 5, **street.bearer)
    asks = asks_of(street, path, [credential] * 50)
    asyncio.run(at_once([*asks[:25], *approve, *asks[25:]]))
    told = show(street, path, [credential] * 20)
    assert served(told) == 10 and told_plainly(told)
    assert street.goods.runs[path] == 1
    assert street.spent(buyer) == PRICE


def in_the_midst(street: Market, path: str, credential: dict[str, str], kill: Any) -> list[Told]:
    """Show a credential two hundred times, and kill something meanwhile."""
    killer = threading.Timer(0.02, kill)
    killer.start()
    told = show(street, path, [credential] * MANY)
    killer.join()
    return told


@pytest.mark.parametrize("language", ["mpp", pytest.param("x402", marks=pytest.mark.prove)])
def test_hubs_that_are_killed_while_they_are_asked_take_once_and_deliver_once(
    street: Market, language: str
):
    buyer, path = street.buyer(), a_path("held")
    credential = street.credential(buyer, path, language)
    charge = body_of(street.order(buyer))
    for hub in street.hubs:
        shown = asks_of(street, path, [credential] * MANY)
        paid = street.asks("/v1/payments", [charge] * MANY)
        with killed_amid(hub):
            asyncio.run(at_once([ask for pair in zip(shown, paid, strict=True) for ask in pair]))
        hub.start()
    told = until_settled(street, path, credential)
    assert served(told) > 0, Counter(answer.status for answer in told)
    assert street.goods.runs[path] == 1
    told = street.post("/v1/payments", [charge] * MANY)
    assert {answer.status for answer in told} == {200}
    assert (street.spent(buyer), len(street.payments(buyer))) == (2 * PRICE, 2)


@contextlib.contextmanager
def killed_amid(process: Any) -> Iterator[None]:
    """Kill a process a moment from now."""
    killer = threading.Timer(secrets.randbelow(40) / 1000, process.kill)
    killer.start()
    yield
    killer.join()


def until_settled(street: Market, path: str, credential: dict[str, str]) -> list[Told]:
    """Come back until nobody is told to wait."""
    for _ in range(40):
        told = show(street, path, [credential] * 20)
        if all(answer.status == 200 or answer.code == "already-paid" for answer in told):
            return told
        time.sleep(0.25)
    raise AssertionError([(answer.status, answer.body) for answer in told])


# Which engine the books are on makes no difference to a shop: every day on one of them.
@pytest.mark.parametrize(
    "books",
    ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.prove])],
    indirect=True,
    scope="session",
)
def test_shops_that_are_killed_while_they_serve_deliver_at_most_once_and_take_at_most_once(
    street: Market,
):
    """What a shop held when it died is served by no other: the hold is voided, or expires."""
    buyer, path = street.buyer(), a_path("held")
    credential = street.credential(buyer, path, "mpp")
    for shop in street.shops:
        with killed_amid(shop):
            show(street, path, [credential] * MANY)
        shop.start()
        shop.ready()
        assert told_plainly(show(street, path, [credential] * 20))
    assert street.goods.runs.get(path, 0) <= 1
    [payment] = street.payments(buyer)
    if payment["state"] == "held":
        street.post(f"/v1/payments/{payment['id']}/void", [None], **street.as_seller)
        told = show(street, path, [credential] * 20)
        assert {(answer.status, answer.code) for answer in told} == {(402, "payment-voided")}
    assert street.spent(buyer) == (PRICE if payment["state"] == "captured" else 0)
    assert street.goods.runs.get(path, 0) <= 1


@pytest.mark.prove
@pytest.mark.parametrize("round_number", range(10))
def test_whatever_is_killed_again_and_again_nothing_is_taken_or_delivered_twice(
    street: Market, round_number: int
):
    buyers = [street.buyer() for _ in range(4)]
    paths = [a_path("held" if i % 2 else "charged") for i in range(4)]
    shown = [
        (path, street.credential(buyer, path, LANGUAGES[i // 2]))
        for i, (buyer, path) in enumerate(zip(buyers, paths, strict=True))
    ]
    for victim in [*street.hubs, *street.shops]:
        with killed_amid(victim):
            for path, credential in shown:
                show(street, path, [credential] * MANY)
        victim.start()
        if victim in street.shops:
            victim.ready()
    for buyer, path in zip(buyers, paths, strict=True):
        taken = street.payments(buyer)
        assert len(taken) <= 1
        assert street.goods.runs.get(path, 0) <= 1
        for payment in taken:
            if payment["state"] == "held":
                street.post(f"/v1/payments/{payment['id']}/void", [None], **street.as_seller)
        assert street.spent(buyer) in (0, PRICE)
