"""Requests that two programs could read in two ways, sent as raw bytes to a real server."""

import asyncio

import pytest

from .shop import Counter, Shop, raw, serving


def send(request: bytes, **config) -> tuple[bytes, Counter]:
    async def story():
        shop, handler = Shop(), Counter()
        async with serving(shop.paywall.wrap(handler), **config) as url:
            return await raw(url, request, seconds=0.5), handler

    return asyncio.run(story())


@pytest.mark.parametrize(
    "target",
    [
        "//paid",
        "/paid%2f",
        "/free%2fpaid",
        "/free/../paid",
        "/free/%2e%2e/paid",
        "/./paid",
        "/paid;x=1",
        "/paid%3bx",
        "/paid%00",
        "/paid%0a",
        "/paid%5c",
        "/free\\paid",
        "/paid%c0%af",
        "/paid%ff",
        "/paid%",
        "/paid%zz",
        "/paid%252f",
        "/pa[id",
    ],
)
def test_an_ambiguous_path_is_refused_before_any_handler(target):
    answer, handler = send(
        f"GET {target} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert handler.runs == 0


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET http://shop/paid HTTP/1.1\r\nHost: shop\r\n\r\n", 400),
        (b"GET http://other/free HTTP/1.1\r\nHost: shop\r\n\r\n", 400),
        (b"GET /free HTTP/1.1\r\n\r\n", 400),
        (b"GET /free HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /free HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"GET /free HTTP/1.1\r\nHost: a/b@c\r\n\r\n", 400),
        (b"GET /free HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400),
        (b"GET /free HTTP/1.1\r\nHost: [1.2.3.4]\r\n\r\n", 400),
        (b"GET /free HTTP/1.1\r\nHost: " + b"a" * 300 + b"\r\n\r\n", 400),
        (
            b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
        (b"POST /free HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", 400),
        (b"POST /free HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 400),
        (b"TRACE /free HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"PROPFIND /free HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"GET /free HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET /paid?" + b"x" * 3_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (
            b"GET /paid HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
            501,
        ),
        (b"NONSENSE\r\n\r\n", 400),
        (b"CONNECT shop:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ],
)
def test_an_odd_request_is_refused_with_a_problem(request_bytes, status):
    answer, handler = send(request_bytes)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert b"application/problem+json" in answer
    assert handler.runs == 0


def test_a_target_that_is_none_is_told_so_on_a_connection_that_was_used_before():
    async def story() -> bytes:
        async with serving(Shop().paywall.wrap(Counter())) as url:
            host, port = url.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"GET /free HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            await reader.read(65536)
            writer.write(b"CONNECT shop:80 HTTP/1.1\r\nHost: a\r\n\r\n")
            told = await asyncio.wait_for(reader.read(), 5)
            writer.close()
            return told

    assert asyncio.run(story()).startswith(b"HTTP/1.1 400 ")


def test_headers_without_end_are_cut_off_before_they_fill_memory():
    endless = b"GET /free HTTP/1.1\r\nHost: a\r\n" + b"X-A: 1234567890\r\n" * 20_000
    answer, handler = send(endless)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
    assert handler.runs == 0


@pytest.mark.rule("asvs.4.2.1", on="middleware uvicorn")
def test_a_smuggled_second_request_is_not_answered():
    answer, handler = send(
        b"POST /free HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\nGET /paid HTTP/1.1\r\nHost: a\r\n\r\n"
    )
    assert answer.count(b"HTTP/1.1 4") == 1 and handler.runs == 0


def test_an_old_client_without_a_host_is_served():
    answer, handler = send(b"GET /free HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ") and handler.runs == 1


@pytest.mark.rule("trap.routing", on="middleware")
def test_what_is_looked_up_is_what_the_handler_sees():
    answer, handler = send(
        b"GET /fr%65e/%c3%a5%20b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert handler.scope["path"] == "/free/å b"
    assert handler.scope["raw_path"] == b"/free/%C3%A5%20b"
