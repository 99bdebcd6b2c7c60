"""Clients that send too slowly, read too slowly, or bring more than there is room for."""

import asyncio
from typing import Any

from farthing.web.guard import Guard
from farthing.web.patience import BODY_BYTES_MIN

from .behind_guard import GET, HEAD, client, clients, guarding, problem_in, until
from .shop import Counter

POST = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 100000\r\n\r\n"
BIG = 32 * 1024 * 1024
STRANGERS = [f"127.0.0.{n}" for n in range(2, 12)]


class Big:
    """An app that answers with more than fits into the buffers on the way."""

    def __init__(self, size: int = BIG) -> None:
        self.size, self.ended = size, 0

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        head = [(b"content-length", b"%d" % self.size)]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        for _ in range(self.size // 65536):
            await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        self.ended += 1


async def test_a_body_that_hardly_comes_is_cut_with_408():
    guard, app = Guard(stall_seconds=0.3), Counter()
    async with guarding(app, guard) as port, client(port) as slow:
        await slow.send(POST)
        for _ in range(8):
            slow.writer.write(b"x")
            await asyncio.sleep(0.05)
        assert problem_in(await slow.all()) == (408, "body-too-slow")
        await until(lambda: not guard.places.held)


async def test_a_body_that_comes_slowly_but_surely_is_read():
    app = Counter()
    part = BODY_BYTES_MIN // 2 + 1
    size = part * 10
    async with guarding(app, Guard(stall_seconds=0.8)) as port, client(port) as slow:
        await slow.send(POST.replace(b"100000", b"%d" % size))
        for _ in range(10):
            await slow.send(bytes(part))
            await asyncio.sleep(0.1)
        assert (await slow.reader.readline()).startswith(b"HTTP/1.1 200 ")
        assert len(app.received) == size


async def test_a_client_that_was_not_told_to_continue_is_not_late():
    async def late(_scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(1.1)
        await Counter(body=b"read")(_scope, receive, send)

    async with guarding(late, Guard(stall_seconds=0.5)) as port, client(port) as polite:
        asked = b"POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n"
        await polite.send(asked)
        assert (await polite.reader.readline()).startswith(b"HTTP/1.1 100 ")
        await polite.send(b"x")
        await asyncio.wait_for(polite.reader.readuntil(b"HTTP/1.1 200 "), 20)


async def test_a_client_that_was_told_to_continue_late_has_all_its_time_from_then_on():
    async def late(_scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(1.9)  # Just before the timer rings for the second time.
        await Counter(body=b"read")(_scope, receive, send)

    async with guarding(late, Guard(stall_seconds=1)) as port, client(port) as polite:
        asked = b"POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n"
        await polite.send(asked)
        assert (await polite.reader.readline()).startswith(b"HTTP/1.1 100 ")
        await asyncio.sleep(0.5)
        await polite.send(b"x")
        await asyncio.wait_for(polite.reader.readuntil(b"HTTP/1.1 200 "), 20)


async def test_an_answer_that_began_is_not_followed_by_another():
    async def eager(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 402, "headers": []})
        await send({"type": "http.response.body", "body": b"pay"})

    async with guarding(eager, Guard(stall_seconds=0.3)) as port, client(port) as slow:
        await slow.send(POST + b"x")
        answer = await slow.all()
        assert answer.startswith(b"HTTP/1.1 402 ")
        assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_client_that_does_not_read_is_cut_off_and_keeps_nothing():
    guard, app = Guard(stall_seconds=0.3), Big()
    async with guarding(app, guard) as port, client(port, limit=1024) as idle:
        await idle.send(GET)
        await until(lambda: guard.unread.bytes)
        await until(lambda: not guard.places.held)
        assert guard.unread.bytes == 0
        await until(lambda: app.ended)


async def test_a_client_that_reads_slowly_but_surely_gets_everything():
    app = Big()
    async with guarding(app, Guard(stall_seconds=0.8)) as port, client(port) as slow:
        await slow.send(GET)
        got = 0
        while got < app.size:
            got += len(await slow.reader.read(2 * 1024 * 1024))
            await asyncio.sleep(0.005 if got % 7 else 0.1)
        assert app.ended == 1


async def test_whoever_leaves_most_unread_loses_it_and_readers_lose_nothing():
    guard, app = Guard(answers_bytes_max=1_048_576), Big()
    async with (
        guarding(app, guard) as port,
        client(port, "127.0.0.9") as reader,
        clients(port, ["127.0.0.2"] * 20, limit=1024) as idle,
    ):
        for one in idle:
            await one.send(GET)
        await reader.send(GET)
        got = 0
        while got < app.size:
            part = await reader.reader.read(262_144)
            assert part, got
            got += len(part)
            assert guard.unread.bytes <= 1_048_576
        await until(lambda: guard.places.share("127.0.0.2") < 20)


async def test_bodies_that_wait_for_an_app_are_bounded_for_one_and_for_all():
    guard = Guard(requests_bytes_max=1_048_576)
    going = asyncio.Event()

    async def busy(scope: Any, receive: Any, send: Any) -> None:
        await going.wait()
        await Counter()(scope, receive, send)

    async with guarding(busy, guard) as port, clients(port, ["127.0.0.2"] * 16) as greedy:
        for one in greedy:
            await one.send(POST + bytes(100_000))
        ended = [one.reader for one in greedy]
        await until(lambda: sum(bool(reader._buffer) for reader in ended) >= 5)
        refused = [await one.all(0.1) for one in greedy if one.reader._buffer]
        assert {problem_in(answer) for answer in refused} == {(429, "too-much-at-once")}
        assert guard.requests.held <= 1_048_576 * 2 // 3
        async with client(port, "127.0.0.3") as honest:
            await honest.send(POST + bytes(100_000))
            await until(lambda: guard.requests.share("127.0.0.3"))
            going.set()
            assert (await honest.reader.readline()).startswith(b"HTTP/1.1 200 ")
        await until(lambda: not guard.requests.held)


async def test_heads_are_bounded_in_fields_and_all_heads_together():
    guard = Guard(requests_bytes_max=1_048_576)
    async with guarding(Counter(), guard) as port:
        async with client(port) as one:
            await one.send(HEAD + b"a:\r\n" * 130)
            assert problem_in(await one.all()) == (431, "headers-too-large")
        begun = HEAD + b"X: " + bytes(b"a" * 60_000) + b"\r\nY: "
        async with clients(port, STRANGERS * 4) as many:
            for one in many:
                await one.send(begun)
            answers = await asyncio.gather(*(one.all(0.5) for one in many))
            told = {problem_in(answer) for answer in answers if answer}
            assert told <= {(429, "too-much-at-once"), (503, "too-busy")}
            assert 10 <= answers.count(b"") <= 1_048_576 // 60_000
        await until(lambda: not guard.requests.held)
