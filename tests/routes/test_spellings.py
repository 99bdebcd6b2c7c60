"""No spelling of a path, method or field reads a priced page unpaid, wherever it is sold."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from farthing.testing.fake_hub import FakeHub
from tests.effort import EFFORT

from .asking import ask_all
from .forgiving import SECRET, Forgiving
from .places import MIDDLEWARE, PLACES, Place, in_background, serving
from .spelling import GOLD, PAGE, Spelling
from .spellings import table

TABLE = table()
FAILED = re.compile(rb"HTTP/1\.[01] 500")
REFUSED_IN_FRONT = b"application/problem+json"
PRICE = 1500


@pytest.fixture(scope="module")
def forwarded() -> list[Spelling]:
    """What the proxy sends on at all, found by asking: services behind it need no more."""
    with PLACES["proxy before the forgiving service"](Path()) as place:
        answers = ask_all(place.url, [spelling.parts() for spelling in TABLE])
    pairs = zip(TABLE, answers, strict=True)
    return [spelling for spelling, answer in pairs if REFUSED_IN_FRONT not in answer]


def names(found: Iterator[tuple[Spelling, bytes]]) -> list[str]:
    return [f"{spelling.name}: {answer[:200]!r}" for spelling, answer in found]


def paid(place: Place, spellings: list[Spelling]) -> list[list[bytes]]:
    """Put a payment of its own into each request."""
    with httpx.Client(base_url=place.url, trust_env=False) as client:
        asked = {base: client.get(base.decode()) for base in (PAGE, GOLD)}
    requests = []
    for spelling in spellings:
        base = GOLD if b"vault" in spelling.target.lower() else PAGE
        [(name, value)] = place.shop.sign(asked[base], "x402").items()
        requests.append(spelling.parts(f"{name}: {value}".encode()))
    return requests


@pytest.mark.rule("asvs.4.2.1", "rfc9112.spellings", on="middleware proxy uvicorn granian")
@pytest.mark.parametrize("at", PLACES)
def test_nothing_is_read_unpaid(at: str, tmp_path: Path, request: pytest.FixtureRequest):
    spellings = TABLE
    if at.startswith("proxy") and "forgiving" not in at and EFFORT == 1:
        spellings = request.getfixturevalue("forwarded")
    with PLACES[at](tmp_path) as place:
        answers = ask_all(place.url, [spelling.parts() for spelling in spellings])
        books = place.books()
        plain = Spelling("plain")
        [bought] = ask_all(place.url, paid(place, [plain]))
    assert SECRET in bought, "who pays does read it"
    told = list(zip(spellings, answers, strict=True))
    assert not names((s, a) for s, a in told if SECRET in a)
    assert not names((s, a) for s, a in told if FAILED.search(a))
    assert (books["unpaid"], books["delivered"], books["captured"]) == (0, 0, 0)
    answered = sum(bool(answer) for answer in answers)
    print(f"\n{at}: {len(spellings)} spellings, {answered} answered, none unpaid")
    assert answered > 0.9 * len(spellings)


def test_without_a_paywall_many_of_them_do_read_it():
    service = Forgiving()
    with in_background(lambda: serving(service, http="h11")) as url:
        answers = ask_all(url, [spelling.parts() for spelling in TABLE])
    read = sum(SECRET in answer for answer in answers)
    print(f"\nwithout a paywall: {read} of {len(TABLE)} read it")
    assert read > 500


@pytest.mark.parametrize("at", [*MIDDLEWARE, "proxy before the forgiving service"])
def test_a_payment_is_delivered_once_or_costs_nothing(at: str, tmp_path: Path):
    spellings = [spelling for spelling in TABLE if spelling.payable]
    with PLACES[at](tmp_path) as place:
        answers = ask_all(place.url, paid(place, spellings))
        books = place.books()
    given = sum(SECRET in answer for answer in answers)
    print(f"\n{at}: {len(spellings)} paying requests, {books['captured']} taken, {given} read")
    assert all(answer.count(SECRET) < 2 for answer in answers)
    with_secret = [answer for answer in answers if SECRET in answer]
    if at == "granian":  # It drops what an app says beside its 101, so also a socket's receipt.
        with_secret = [answer for answer in with_secret if not answer.startswith(b"HTTP/1.1 101 ")]
    assert all(b"\r\npayment-response: " in answer.lower() for answer in with_secret)
    assert not any(FAILED.search(answer) for answer in answers)
    assert books["earned"] == books["captured"] * PRICE
    assert books["captured"] == books["delivered"] >= given > 50
    assert books["unpaid"] == 0


def test_the_strict_hub_of_these_tests_is_the_shipped_one():
    with PLACES["uvicorn"](Path()) as place:
        assert isinstance(place.shop.hub, FakeHub)
