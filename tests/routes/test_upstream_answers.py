"""What an upstream may answer, well or badly, and what of it reaches whom."""

import asyncio
import gzip
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import psutil
import pytest

from farthing.web.proxy import ReverseProxy
from tests.web.shop import PRICES, Shop, raw, selling, serving

POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON"
CLEAN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nclean"
OK = b"HTTP/1.1 200 OK\r\n"
MIB = 1024 * 1024

Script = Callable[[bytes], list[bytes | float]]


@asynccontextmanager
async def upstream(answers: bytes | Script, *, closing: bool = False) -> AsyncIterator[str]:
    """A service that answers exactly these bytes to every request head; numbers are pauses."""
    script = answers if callable(answers) else lambda _head: [answers]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                for part in script(head):
                    if isinstance(part, bytes):
                        writer.write(part)
                        await writer.drain()
                    else:
                        await asyncio.sleep(part)
                if closing:
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def bought(answers: bytes | Script, method: str = "GET", **more):
    """What a buyer gets who pays for this answer; and the shop."""

    async def story():
        shop = Shop(more.pop("prices", PRICES))
        closing = more.pop("closing", False)
        async with (
            upstream(answers, closing=closing) as url,
            selling(shop, ReverseProxy(url, **more)) as client,
        ):
            asked = await client.request(method, "/paid")
            assert asked.status_code == 402
            request = client.build_request(method, "/paid", headers=shop.sign(asked))
            return await client.send(request), shop

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("first", "method"),
    [
        (OK + b"Content-Length: 2\r\n\r\nok" + POISON, b"GET"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + POISON, b"GET"),
        (b"HTTP/1.1 204 No\r\n\r\n" + POISON, b"GET"),
        (b"HTTP/1.1 304 No\r\n\r\n" + POISON, b"GET"),
        (OK + b"Content-Length: 62\r\n\r\n" + POISON, b"HEAD"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_what_comes_after_an_answer_is_nobody_elses(first, method, late):
    def script(head: bytes) -> list[bytes | float]:
        if b"/first" not in head:
            return [CLEAN]
        body = first.removesuffix(POISON)
        return [body, 0.01, POISON] if late else [first]

    async def story():
        async with upstream(script) as url, serving(ReverseProxy(url)) as proxy:
            end = b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            await raw(proxy, method + b" /first" + end)
            if late:
                await asyncio.sleep(0.1)  # By then the upstream has sent it: both are on one loop.
            answers = [await raw(proxy, b"GET /second" + end) for _ in range(3)]
        assert all(answer.endswith(b"clean") for answer in answers)

    asyncio.run(story())


class ReadsNoBodies(BaseHTTPRequestHandler):
    """What many small servers do: a body is left lying there, and read as the next request."""

    protocol_version = "HTTP/1.1"
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(f"{self.command} {self.path}")
        body = b"SECRET" if self.path == "/paid" else b"free"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("method", [b"GET", b"POST", b"PUT", b"DELETE"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_a_service_leaves_lying_there_is_not_its_next_request(method, chunked):
    asked: list[str] = []
    handler = type("Handler", (ReadsNoBodies,), {"asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    hidden = b"GET /paid HTTP/1.1\r\nHost: a\r\n\r\n"
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(hidden), hidden) if chunked else hidden
    field = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(hidden)

    async def story():
        shop = Shop()
        app = shop.paywall.wrap(ReverseProxy(f"http://127.0.0.1:{server.server_port}"))
        async with serving(app) as url:
            head = b"%b /free HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % (method, field)
            answers = [await raw(url, head + body, 0.15)]
            plain = b"GET /free HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            answers += [await raw(url, plain) for _ in range(3)]
        assert b"SECRET" not in b"".join(answers)
        assert answers[-1].endswith(b"free")

    try:
        asyncio.run(story())
    finally:
        server.shutdown()
        server.server_close()
    assert "GET /paid" not in asked


def test_plain_gets_share_a_connection_and_one_that_was_closed_meanwhile_is_replaced():
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(CLEAN)
        writer.close()

    async def story():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        front = ReverseProxy(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        async with (
            serving(front) as url,
            httpx.AsyncClient(base_url=url, trust_env=False) as client,
        ):
            for _ in range(4):
                assert (await client.get("/")).text == "clean"
                await asyncio.sleep(0.08)
        await front.aclose()
        server.close()

    asyncio.run(story())
    assert connections == 2


@pytest.mark.parametrize(
    ("answer", "location"),
    [
        ("{url}/other?x=1", "/other?x=1"),
        ("{url}", "/"),
        ("{url}//evil.example/", "/evil.example/"),
        ("{url}0/other", "{url}0/other"),
        ("{url}@evil.example/", "{url}@evil.example/"),
        ("http://elsewhere.example/x", "http://elsewhere.example/x"),
        ("/same", "/same"),
    ],
)
def test_a_redirect_is_passed_on_not_followed_and_names_no_upstream(answer, location):
    seen: list[bytes] = []

    async def story():
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            where = answer.format(url=here).encode()
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % where)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        here = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        shop = Shop()
        async with selling(shop, ReverseProxy(here)) as client:
            told = await shop.pay(client, "GET", "/paid")
        server.close()
        assert told.status_code == 302
        assert told.headers["location"] == location.format(url=here)

    asyncio.run(story())
    assert len(seen) == 1


def test_a_redirect_below_an_upstreams_own_folder_loses_that_folder():
    async def story():
        script = [b""]
        async with upstream(lambda _head: [script[0]]) as url:
            where = f"Location: {url}/base/next\r\nContent-Location: {url}/outside\r\n"
            script[0] = b"HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n" + where.encode() + b"\r\n"
            async with serving(ReverseProxy(url + "/base/")) as proxy:
                got = await raw(proxy, b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert b"\r\nlocation: /next\r\n" in got and b"\r\ncontent-location: /outside\r\n" in got

    asyncio.run(story())


@pytest.mark.parametrize(
    "fields",
    [
        {"Range": "bytes=0-3"},
        {"Range": "bytes=0-0,-1"},
        {"Range": "bytes=0-3", "If-Range": '"v1"'},
        {"If-None-Match": '"v1"'},
        {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
        {"If-Match": "*"},
        {"Expect": "100-continue"},
        {"Accept-Encoding": "gzip"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_part_a_copy_and_a_head_cost_what_the_page_costs(fields, method):
    async def story():
        shop = Shop()
        async with upstream(CLEAN) as url, selling(shop, ReverseProxy(url)) as client:
            asked = await client.request(method, "/paid", headers=fields)
            assert asked.status_code == 402 and shop.ask(asked).amount == 1500
            assert b"clean" not in asked.content
            if method == "HEAD":
                assert asked.content == b""

    asyncio.run(story())


def test_parts_of_a_page_pass_as_they_are_and_are_private():
    body = b"--x\r\nContent-Range: bytes 0-0/9\r\n\r\na\r\n--x--\r\n"
    answer, shop = bought(
        b"HTTP/1.1 206 Partial\r\nContent-Type: multipart/byteranges; boundary=x\r\n"
        b"Cache-Control: public\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    assert (answer.status_code, answer.content) == (206, body)
    assert answer.headers["cache-control"] == "private"
    assert shop.spent == 1500


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\nX-Leak: 1\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </paid.css>; rel=preload\r\n\r\n" * 5,
    ],
)
def test_interim_answers_are_waited_out(interim):
    answer, shop = bought(interim + CLEAN)
    assert (answer.status_code, answer.text, shop.spent) == (200, "clean", 1500)
    assert not {"x-leak", "link"} & set(answer.headers)


BROKEN_HEADS = {
    "another protocol": b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    "nonsense": b"HELLO\r\n\r\n",
    "a status without meaning": b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    "length and chunks": OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nok\r\n0\r\n\r\n",
    "a coding we do not know": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a length that is none": OK + b"Content-Length: +5\r\n\r\nclean",
    "a folded field": OK + b"X: a\r\n b\r\nContent-Length: 5\r\n\r\nclean",
    "a field without name": OK + b": a\r\nContent-Length: 5\r\n\r\nclean",
    "a NUL": OK + b"X: a\x00b\r\nContent-Length: 5\r\n\r\nclean",
    "a flood of fields": OK + b"X-A: 1234567890\r\n" * 10_000 + b"\r\n",
    "a field without end": OK + b"X: " + b"x" * (4 * MIB),
    "silence": b"",
}


@pytest.mark.parametrize("answer", BROKEN_HEADS.values(), ids=list(BROKEN_HEADS))
def test_a_head_that_cannot_be_read_costs_nothing(answer):
    told, shop = bought(answer, closing=True)
    assert (told.status_code, told.json()["code"]) == (502, "upstream-failed")
    assert (shop.spent, shop.states) == (0, ["voided"])


BROKEN_BODIES = {
    "too short": OK + b"Content-Length: 50\r\n\r\nclean",
    "chunks without end": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nclean\r\n",
    "chunks that are none": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nclean\r\nzz\r\n",
}


@pytest.mark.parametrize("answer", BROKEN_BODIES.values(), ids=list(BROKEN_BODIES))
def test_a_body_that_breaks_off_is_recorded_and_given_back_where_the_seller_says_so(answer):
    async def story():
        shop = Shop(PRICES + 'on_broken = "refund"\n')
        async with (
            upstream(answer, closing=True) as url,
            selling(shop, ReverseProxy(url)) as client,
        ):
            with pytest.raises(httpx.RemoteProtocolError):
                await shop.pay(client, "GET", "/paid")
        [taken] = shop.hub.payments.values()
        assert taken.broken == "UpstreamBroke" and shop.spent == 0

    asyncio.run(story())


WHOLE = {
    "that ends with its connection": OK + b"\r\nclean",
    "of the old version": b"HTTP/1.0 200 OK\r\n\r\nclean",
    "with more than it announced": OK + b"Content-Length: 5\r\n\r\ncleanMORE",
    "with trailers": OK + b"Transfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n5\r\nclean\r\n"
    b"0\r\nX-Late: 1\r\nPayment-Receipt: forged\r\n\r\n",
}


@pytest.mark.parametrize("answer", WHOLE.values(), ids=list(WHOLE))
def test_a_body(answer):
    told, shop = bought(answer, closing=True)
    assert (told.status_code, told.content, shop.spent) == (200, b"clean", 1500)
    assert not {"trailer", "x-late"} & set(told.headers)
    assert told.headers["payment-receipt"] != "forged"


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_gets_none(status):
    told, shop = bought(b"HTTP/1.1 %d X\r\nETag: x\r\n\r\nBODY" % status, closing=True)
    assert (told.status_code, told.content, shop.spent) == (status, b"", 1500)


def test_an_upstream_says_nothing_about_payment_caches_of_others_or_another_way():
    fields = (
        b"Payment-Receipt: forged\r\nPAYMENT-RESPONSE: forged\r\nPayment-Required: forged\r\n"
        b'WWW-Authenticate: Payment id="forged"\r\nAlt-Svc: h2=":8000"\r\n'
        b"X-Accel-Expires: 60\r\nCDN-Cache-Control: public\r\n"
    )
    told, _ = bought(OK + fields + b"Content-Length: 5\r\n\r\nclean")
    assert "forged" not in str(told.headers) and "payment-receipt" in told.headers
    gone = {"alt-svc", "x-accel-expires", "cdn-cache-control", "www-authenticate"}
    assert not gone & set(told.headers)


def test_a_compressed_bomb_passes_as_it_is_in_flat_memory():
    bomb = gzip.compress(bytes(64 * MIB), 1)
    before = psutil.Process().memory_info().rss
    answer = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb

    async def story():
        shop = Shop()
        async with upstream(answer) as url, selling(shop, ReverseProxy(url)) as client:
            credential = shop.sign(await client.get("/paid"))
            async with client.stream("GET", "/paid", headers=credential) as told:
                raw_body = b"".join([part async for part in told.aiter_raw()])
            assert raw_body == bomb and told.headers["content-encoding"] == "gzip"

    asyncio.run(story())
    assert psutil.Process().memory_info().rss - before < 40 * MIB


def test_a_service_that_answers_before_it_has_the_whole_body_is_heard():
    refused = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"

    async def story():
        async with upstream(refused) as url, serving(ReverseProxy(url)) as proxy:
            head = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n"
            answer = await raw(proxy, head + bytes(100_000), 1)
        assert answer.startswith(b"HTTP/1.1 413 ") and answer.endswith(b"big")

    asyncio.run(story())


def test_more_requests_than_connections_are_allowed_wait_and_are_told_so():
    async def story():
        async with (
            upstream(lambda _head: [1.0, CLEAN]) as url,
            serving(ReverseProxy(url, connections_max=1, connect_seconds=0.2)) as proxy,
            httpx.AsyncClient(base_url=proxy, trust_env=False) as client,
        ):
            answers = await asyncio.gather(client.get("/a"), client.get("/b"))
            assert sorted(answer.status_code for answer in answers) == [200, 503]
            [busy] = [answer for answer in answers if answer.status_code == 503]
            assert busy.json()["code"] == "upstream-busy" and "retry-after" in busy.headers
            assert (await client.get("/c")).text == "clean"

    asyncio.run(story())
