"""The streaming reverse proxy, alone and behind a paywall, before a real upstream."""

import asyncio
import socket

import httpx
import psutil
import pytest

from farthing.errors import BadConfig
from farthing.web.limits import Limits
from farthing.web.proxy import ReverseProxy

from .shop import PRICES, Counter, Shop, raw, selling, serving

MIB = 1024 * 1024


def lines_of(answer: bytes) -> list[str]:
    return answer.split(b"\r\n\r\n")[0].decode().lower().split("\r\n")


def test_a_priced_upstream_is_paid_through_the_proxy_and_learns_who_paid():
    async def story():
        shop, upstream = Shop(), Counter(headers=[(b"x-from", b"upstream")])
        async with serving(upstream) as url, selling(shop, ReverseProxy(url)) as client:
            forged = {"Farthing-Payer": "dev_me", "Connection": "farthing-payer, x-hop"}
            paid = await shop.pay(
                client, "POST", "/paid", content=b"question", headers=forged | {"X-Hop": "1"}
            )
            host = str(client.base_url)[7:].rstrip("/")
        assert (paid.status_code, paid.content) == (200, b"goods")
        assert paid.headers["x-from"] == "upstream" and "payment-receipt" in paid.headers
        assert upstream.received == b"question"
        seen = upstream.seen
        assert seen["farthing-payer"] == shop.device and seen["farthing-amount"] == "0.0015 USD"
        assert seen["host"] == url[7:] and seen["x-forwarded-host"] == host
        assert seen["x-forwarded-proto"] == "http" and seen["x-forwarded-for"] == "127.0.0.1"
        assert not {"authorization", "x-hop"} & set(seen)

    asyncio.run(story())


@pytest.mark.rule("farthing.one-reading", "trap.routing", on="proxy")
def test_the_upstream_gets_the_path_that_was_priced_and_the_query_as_sent():
    async def story():
        shop, upstream = Shop(), Counter()
        async with serving(upstream) as url, selling(shop, ReverseProxy(url + "/base/")) as client:
            where = str(client.base_url).rstrip("/")
            target = b"/fr%65e/%C3%A5%40?a=%2e%2E/../b&c='%20"
            await raw(where, b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n", 0.3)
        assert upstream.scope["raw_path"] == b"/base/free/%C3%A5@"
        assert upstream.scope["query_string"] == b"a=%2e%2E/../b&c='%20"

    asyncio.run(story())


def test_answers_pass_as_they_are():
    async def story():
        answers = [
            (302, [(b"location", b"http://elsewhere/")], b""),
            (200, [(b"content-encoding", b"gzip")], b"\x1f\x8bnot really"),
            (200, [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")], b""),
            (206, [(b"content-range", b"bytes 0-3/9")], b"part"),
            (304, [(b"etag", b'"x"')], b""),
            (200, [(b"connection", b"x-hop"), (b"x-hop", b"1"), (b"x-end", b"1")], b""),
        ]
        for status, headers, body in answers:
            upstream = Counter(status, body, headers)
            async with serving(upstream) as url, serving(ReverseProxy(url)) as proxy:
                got = await raw(proxy, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            lines = lines_of(got)
            assert sum(line.startswith("date:") for line in lines) == 1
            assert lines[0].startswith(f"http/1.1 {status}")
            for name, value in headers:
                passed = name not in (b"connection", b"x-hop")
                assert (f"{name.decode()}: {value.decode()}" in lines) == passed
            assert body in got

    asyncio.run(story())


@pytest.mark.rule("owasp-api.10", on="proxy")
def test_cookies_of_one_client_never_reach_another():
    async def story():
        upstream = Counter(headers=[(b"set-cookie", b"session=secret; Path=/")])
        async with serving(upstream) as url, serving(ReverseProxy(url)) as proxy:
            for _ in range(2):
                await raw(proxy, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert "cookie" not in upstream.seen

    asyncio.run(story())


@pytest.mark.parametrize("on_paid", [True, False])
def test_an_upstream_that_is_away_costs_nothing(on_paid):
    async def story():
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        shop = Shop()
        async with selling(shop, ReverseProxy(f"http://127.0.0.1:{port}")) as client:
            if on_paid:
                answer = await shop.pay(client, "GET", "/paid")
            else:
                answer = await client.get("/free")
        assert (answer.status_code, answer.json()["code"]) == (502, "upstream-failed")
        assert shop.spent == 0 and set(shop.states) <= {"voided"}

    asyncio.run(story())


def test_an_upstream_that_is_too_late_costs_nothing():
    async def story():
        shop = Shop()
        async with (
            serving(Counter(seconds=1)) as url,
            selling(shop, ReverseProxy(url, head_seconds=0.2)) as client,
        ):
            answer = await shop.pay(client, "GET", "/paid")
        assert (answer.status_code, answer.json()["code"]) == (504, "upstream-too-late")
        assert (shop.spent, shop.states) == (0, ["voided"])

    asyncio.run(story())


@pytest.mark.rule("owasp-api.10", on="proxy")
def test_an_upstream_that_talks_nonsense_costs_nothing():
    async def nonsense(reader, writer):
        await reader.read(100)
        writer.write(b"HELLO\r\n\r\n")
        writer.close()

    async def story():
        server = await asyncio.start_server(nonsense, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        shop = Shop()
        async with selling(shop, ReverseProxy(f"http://127.0.0.1:{port}")) as client:
            answer = await shop.pay(client, "GET", "/paid")
        server.close()
        assert (answer.status_code, answer.json()["code"]) == (502, "upstream-failed")
        assert shop.spent == 0

    asyncio.run(story())


@pytest.mark.rule("farthing.broken-off", on="proxy")
def test_an_upstream_that_dies_in_mid_answer_is_recorded():
    async def dying(reader, writer):
        await reader.read(1000)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    async def story():
        server = await asyncio.start_server(dying, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        shop = Shop(PRICES + 'on_broken = "refund"\n')
        async with selling(shop, ReverseProxy(f"http://127.0.0.1:{port}")) as client:
            with pytest.raises(httpx.RemoteProtocolError):
                await shop.pay(client, "GET", "/paid")
        server.close()
        [taken] = shop.hub.payments.values()
        assert taken.broken == "UpstreamBroke" and shop.spent == 0

    asyncio.run(story())


def test_events_stream_through_as_they_happen():
    heard = asyncio.Queue[bytes]()

    async def events(scope, receive, send):
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for i in range(3):
            await send(
                {"type": "http.response.body", "body": b"data: %d\n\n" % i, "more_body": True}
            )
            async with asyncio.timeout(20):  # Nothing more happens before this was heard.
                assert await heard.get() == b"data: %d\n\n" % i
        await send({"type": "http.response.body", "body": b""})

    async def story():
        shop = Shop()
        async with serving(events) as url, selling(shop, ReverseProxy(url)) as client:
            credential = shop.sign(await client.get("/paid"))
            async with client.stream("GET", "/paid", headers=credential) as answer:
                async for part in answer.aiter_raw():
                    heard.put_nowait(part)
            assert answer.status_code == 200
        assert shop.spent == 1500 and heard.empty()

    asyncio.run(story())


def test_the_upstream_is_let_go_when_the_client_leaves():
    left = asyncio.Event()

    async def endless(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    async def story():
        async with serving(endless) as url, serving(ReverseProxy(url)) as proxy:
            await raw(proxy, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0.2)
            await asyncio.wait_for(left.wait(), 20)

    asyncio.run(story())


def test_fifty_megabytes_pass_in_both_directions_in_flat_memory():
    size = 50 * MIB
    counted = 0

    async def echo(scope, receive, send):
        nonlocal counted
        counted, more = 0, True
        while more:
            message = await receive()
            counted += len(message.get("body", b""))
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(size // MIB):
            await send({"type": "http.response.body", "body": bytes(MIB), "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def parts():
        for _ in range(size // MIB):
            yield bytes(MIB)

    async def story():
        shop = Shop(PRICES + "bind_body = false\n", Limits(answer_seconds=60))
        async with serving(echo) as url, selling(shop, ReverseProxy(url)) as client:
            credential = shop.sign(await client.post("/paid"))
            before = psutil.Process().memory_info().rss
            got = peak = 0
            headers = credential | {"content-length": str(size)}
            async with client.stream("POST", "/paid", headers=headers, content=parts()) as answer:
                assert answer.status_code == 200
                async for part in answer.aiter_raw():
                    got += len(part)
                    peak = max(peak, psutil.Process().memory_info().rss)
        assert (counted, got) == (size, size)
        assert peak - before < 25 * MIB

    asyncio.run(story())


def test_an_upload_that_breaks_off_costs_nothing():
    async def story():
        shop, upstream = Shop(PRICES + "bind_body = false\n"), Counter()
        async with serving(upstream) as url, selling(shop, ReverseProxy(url)) as client:
            fields = shop.sign(await client.post("/paid"))["authorization"]
            head = f"POST /paid HTTP/1.1\r\nHost: a\r\nAuthorization: {fields}\r\n"
            cut = f"{head}Content-Length: 1000\r\n\r\nonly this".encode()
            await raw(str(client.base_url).rstrip("/"), cut, 0.2)
            async with asyncio.timeout(20):
                while shop.states != ["voided"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        assert shop.spent == 0

    asyncio.run(story())


def test_a_websocket_is_refused_with_a_problem_where_the_server_takes_none():
    async def story():
        upstream = Counter()
        async with serving(upstream) as url, serving(ReverseProxy(url)) as proxy:
            asked = (
                b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            answer = await raw(proxy, asked, 0.5)
        assert answer.startswith(b"HTTP/1.1 501 ") and b"websocket-refused" in answer
        assert upstream.runs == 0

    asyncio.run(story())


@pytest.mark.rule("asvs.13.2.4", on="proxy")
@pytest.mark.parametrize(
    "url", ["ftp://a", "a", "http://", "http://u:p@a", "http://a/?q", "http://a/#f"]
)
def test_an_upstream_that_is_no_plain_url_is_refused_at_start(url):
    with pytest.raises(BadConfig):
        ReverseProxy(url)
