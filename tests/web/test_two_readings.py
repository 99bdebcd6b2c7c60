"""What uvicorn and others would read in a second way, sent to a real server."""

import asyncio
import socket
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from farthing.web.incoming import read_request
from farthing.web.strict_http import UNTOLD_BYTES_MAX

from .shop import Counter, Shop, raw, selling, serving

CHUNKED = b"POST /free HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def send(request: bytes, handler: Any = None) -> tuple[bytes, Any]:
    async def story():
        app = handler or Counter()
        async with serving(Shop().paywall.wrap(app)) as url:
            return await raw(url, request, seconds=0.4), app

    return asyncio.run(story())


@pytest.mark.rule("rfc9112.trailers", on="middleware uvicorn")
def test_what_follows_a_body_is_no_header():
    trailers = b"X-Late: 1\r\nFarthing-Payer: dev_me\r\nAuthorization: Payment x\r\nHost: b\r\n"
    answer, handler = send(CHUNKED + b"5\r\nhello\r\n0\r\n" + trailers + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ") and handler.received == b"hello"
    assert not {"x-late", "farthing-payer", "authorization"} & set(handler.seen)


@pytest.mark.rule("rfc9112.upgrade", on="middleware uvicorn")
@pytest.mark.parametrize("framing", [b"Content-Length: 40", b"Transfer-Encoding: chunked"])
def test_a_body_cannot_pose_as_the_next_request_after_an_upgrade(framing):
    head = b"POST /free HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n"
    answer, handler = send(head + framing + b"\r\n\r\nGET /free HTTP/1.1\r\nHost: aaaaaa\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1 ") == 1
    assert b"bad-framing" in answer and handler.runs == 0


@pytest.mark.rule("rfc9112.upgrade", on="middleware uvicorn")
def test_an_upgrade_nobody_knows_is_answered_plainly_and_the_connection_closed():
    head = b"GET /free HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
    answer, handler = send(head + b"GET /free HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ") and b"connection: close" in answer.lower()
    assert handler.runs == 1


def test_a_fragment_is_refused():
    answer, handler = send(b"GET /free#/../paid HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") and b"ambiguous-path" in answer
    assert handler.runs == 0


def test_chunks_in_http_1_0_are_refused():
    answer, handler = send(CHUNKED.replace(b"1.1\r", b"1.0\r") + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") and b"bad-framing" in answer
    assert handler.runs == 0


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /free HTTP/1.1\r\nHost: a\r\nX: ",
        CHUNKED + b"5;x=",
        CHUNKED + b"0\r\nX: ",
    ],
)
def test_a_header_trailer_or_extension_without_end_is_cut_off(begun):
    async def story():
        async with serving(Shop().paywall.wrap(Counter())) as url:
            port = int(url.rpartition(":")[2])
            return await asyncio.to_thread(bytes_taken, port, begun)

    assert asyncio.run(story()) < UNTOLD_BYTES_MAX + 16 * 1024 * 1024


def bytes_taken(port: int, begun: bytes) -> int:
    """Send until the server hangs up, at most 64 MiB; what its sockets hold is counted too."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(5)
        client.sendall(begun)
        sent, piece = 0, b"x" * 65536
        try:
            while sent < 64 * 1024 * 1024:
                sent += client.send(piece)
        except OSError:
            pass
        return sent


async def secret(_request: Any) -> PlainTextResponse:
    return PlainTextResponse("goods")


@pytest.mark.filterwarnings("ignore:The `root_path` parameter is deprecated")
@pytest.mark.parametrize("priced", ["/paid", "/api/paid"])
def test_an_app_under_a_root_path_gives_nothing_away_by_its_other_spelling(priced):
    app = FastAPI(root_path="/api")
    app.add_route("/paid", secret)
    app.add_route("/free", secret)

    async def story():
        shop = Shop(f'[[offer]]\npath = "{priced}"\nprice = "1 USD"\n')
        async with selling(shop, app) as client:
            for path in ("/paid", "/api/paid"):
                assert (await client.get(path)).status_code == 402, path
                paid = await shop.pay(client, "GET", path) if path == priced else None
                assert paid is None or paid.text == "goods"
            assert (await client.get("/free")).status_code == 200

    asyncio.run(story())


def test_a_paywall_inside_a_mount_knows_both_its_paths():
    async def story():
        shop = Shop()
        inner = shop.paywall.wrap(Starlette(routes=[Route("/paid", secret)]))
        app = Starlette(routes=[Mount("/shop", app=inner)])
        async with serving(app) as url:
            answer = await raw(url, b"GET /shop/paid HTTP/1.1\r\nHost: a\r\n\r\n", 0.3)
        assert answer.startswith(b"HTTP/1.1 402 ")

    asyncio.run(story())


def scope(version: str, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "POST",
        "http_version": version,
        "raw_path": b"/free",
        "path": "/free",
        "query_string": b"",
        "headers": list(headers),
    }


def test_the_old_version_is_known_by_both_its_names_and_needs_no_host():
    for version in ("1.0", "1"):
        assert read_request(scope(version)).host == ""
        assert read_request(scope(version, (b"host", b""))).length == 0


def test_a_body_of_http_2_may_come_without_a_length():
    assert read_request(scope("2", (b"host", b"a"))).length is None


@pytest.mark.parametrize(
    "name",
    [
        *(b"x-original-url", b"X-Rewrite-URL", b"x-forwarded-prefix", b"X_Forwarded_Prefix"),
        *(b"x-original-method", b"x-http-method-override", b"x-sendfile-type", b"farthing-payer"),
    ],
)
def test_fields_that_ask_for_another_path_or_method_are_taken_out(name):
    asked = scope("1.1", (b"host", b"a"), (name, b"/paid"), (b"x-kept", b"1"))
    assert read_request(asked).headers == [(b"host", b"a"), (b"x-kept", b"1")]
