"""A shared cache in front never gives to one what another has paid for, whatever the app says."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from farthing.web.proxy import ReverseProxy
from tests.web.shop import Shop, serving

from .caches import CACHES
from .places import in_background

SECRET = "<what was paid for>"
MINUTE = "max-age=60"
SAID: list[tuple[int, list[tuple[str, str]]]] = [
    (200, []),
    (200, [("cache-control", f"public, {MINUTE}")]),
    (200, [("cache-control", f"PUBLIC,s-maxage=60,{MINUTE}, immutable")]),
    (200, [("cache-control", "public"), ("cache-control", "s-maxage=60")]),
    (200, [("cache-control", f'{MINUTE}, x="a, public"')]),
    (200, [("cache-control", f"{MINUTE}, stale-while-revalidate=60, stale-if-error=60")]),
    (200, [("cache-control", f"must-understand, {MINUTE}, public")]),
    (200, [("expires", "Fri, 01 Jan 2100 00:00:00 GMT")]),
    (200, [("expires", "Fri, 01 Jan 2100 00:00:00 GMT"), ("pragma", "public")]),
    (200, [("x-accel-expires", "60")]),
    (200, [("x-accel-expires", "@4102444800"), ("cache-control", f"public, {MINUTE}")]),
    (200, [("cdn-cache-control", f"public, {MINUTE}"), ("cache-control", f"public, {MINUTE}")]),
    (200, [("surrogate-control", MINUTE), ("cache-control", f"public, {MINUTE}")]),
    (200, [("surrogate-control", 'content="ESI/1.0"'), ("surrogate-key", "a")]),
    (200, [("vary", "accept"), ("cache-control", f"public, {MINUTE}")]),
    (200, [("vary", "*"), ("cache-control", f"public, {MINUTE}")]),
    (200, [("vary", "payment-signature, authorization"), ("cache-control", f"public, {MINUTE}")]),
    (200, [("etag", '"v1"'), ("cache-control", f"public, {MINUTE}")]),
    (200, [("last-modified", "Fri, 01 Jan 2010 00:00:00 GMT"), ("age", "1")]),
    (203, [("cache-control", f"public, {MINUTE}")]),
    (302, [("location", "/elsewhere"), ("cache-control", f"public, {MINUTE}")]),
    (301, [("location", "/elsewhere")]),
    (404, [("cache-control", f"public, {MINUTE}")]),
    (410, []),
]
"""What an app may say about its answer: the status, and fields for caches."""


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the case that the query names; the free page may be kept by anybody."""
    if scope["path"] != "/paid":
        status, fields, body = 200, [("cache-control", f"public, {MINUTE}")], b"free"
    else:
        status, fields = SAID[int(scope["query_string"].partition(b"=")[2])]
        body = SECRET.encode()
    headers = [(name.encode(), value.encode()) for name, value in fields]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module", params=CACHES)
def cached(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[list[Any]]:
    """The same shop as middleware and as proxy, each behind a cache of this kind."""
    cache = CACHES[request.param]
    shops = [Shop(trusted_proxies=["127.0.0.1"]), Shop(trusted_proxies=["127.0.0.1"])]
    plain = {"proxy_headers": False}
    with in_background(lambda: serving(app)) as upstream:
        fronts = [shops[0].paywall.wrap(app), shops[1].paywall.wrap(ReverseProxy(upstream))]
        with (
            in_background(lambda: serving(fronts[0], **plain)) as first,
            in_background(lambda: serving(fronts[1], **plain)) as second,
            cache(tmp_path_factory.mktemp("a"), int(first.rpartition(":")[2])) as one,
            cache(tmp_path_factory.mktemp("b"), int(second.rpartition(":")[2])) as two,
        ):
            yield [(one, shops[0]), (two, shops[1])]


def client_of(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, trust_env=False, timeout=20)


@pytest.mark.rule("rfc9111.real-caches", on="middleware proxy")
@pytest.mark.parametrize("front", ["middleware", "proxy"])
def test_a_paid_answer_and_a_402_are_for_their_own_client(cached: list[Any], front: str):
    url, shop = cached[front == "proxy"]
    with client_of(url) as client:
        for case, (status, _) in enumerate(SAID):
            page = f"/paid?case={case}"
            asked = client.get(page)
            assert asked.status_code == 402, (case, asked.text)
            for language in ("x402", "mpp"):
                bought = client.get(page, headers=shop.sign(client.get(page), language))
                assert (bought.status_code, bought.text) == (status, SECRET), case
                for method in ("GET", "HEAD", "GET"):
                    for fields in ({}, {"if-none-match": '"v1"'}, {"range": "bytes=0-3"}):
                        stranger = client.request(method, page, headers=fields)
                        assert stranger.status_code == 402, (case, stranger.headers)
                        assert SECRET[:4] not in stranger.text
            challenges = {client.get(page).headers["www-authenticate"] for _ in range(3)}
            assert len(challenges) == 3, "each 402 is fresh"


@pytest.mark.parametrize("front", ["middleware", "proxy"])
def test_these_caches_do_keep_what_is_free(cached: list[Any], front: str):
    url, _ = cached[front == "proxy"]
    with client_of(url) as client:
        answers = [client.get("/free") for _ in range(3)]
    assert all(answer.text == "free" for answer in answers)
    assert answers[-1].headers["x-cache"] in ("HIT", "1", "2")


@pytest.mark.parametrize("front", ["middleware", "proxy"])
def test_a_refusal_is_not_kept_either(cached: list[Any], front: str):
    url, _ = cached[front == "proxy"]
    with client_of(url) as client:
        for path, status in (("/PAID", 404), ("/paid/more", 404), ("/x//y", 400)):
            told = client.get(path, headers={"host": "shop.example"})
            assert told.status_code == status and told.headers["cache-control"] == "no-store"
            assert client.get(path).headers["x-cache"] in ("MISS", "EXPIRED", "0")
