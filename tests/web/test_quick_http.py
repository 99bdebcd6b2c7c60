"""What is plain goes the short way and nothing else; on it a connection is what it ever was."""

import asyncio
from typing import Any

import msgspec
import pytest

from farthing.errors import Malformed
from farthing.web.door import guarded
from farthing.web.guard import Guard
from farthing.web.plain_head import PlainHead, plain_head
from farthing.web.problems import Answer, send_answer
from farthing.web.quick_http import quickly

from .wire import Wire, connected, heard, settled

HEAD = b"POST /pay HTTP/1.1\r\nHost: hub.test\r\nContent-Type: application/json\r\n"
WHOLE = HEAD + b"Content-Length: 4\r\n\r\nbody"
LONG = guarded(Guard())


def told(path: str, fields: Any, body: bytes) -> Answer:
    """What both ways of this test answer: what they were asked."""
    raw = msgspec.json.encode([path, [(n.decode(), v.decode()) for n, v in fields], body])
    return Answer(200, [(b"content-length", b"%d" % len(raw)), (b"x-kind", b"told")], raw)


class Told:
    """Answers plain requests. Shape: `said` is what it answers instead."""

    def __init__(self, seconds: float = 0, said: Answer | None = None) -> None:
        self.answered, self._seconds, self._said = 0, seconds, said

    def takes(self, path: str, length: int) -> bool:
        return path == "/pay" and length < 2500

    async def answer(self, head: PlainHead, body: bytes, _client: Any) -> Answer:
        self.answered += 1
        await asyncio.sleep(self._seconds)
        return self._said or told(head.path, head.fields, body)


async def told_app(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", scope["path"] != "/early"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message["body"], message["more_body"]
    await asyncio.sleep(0)
    await send_answer(send, told(scope["path"], scope["headers"], body))


def short(quick: Told) -> Any:
    return quickly(Guard(), quick)


async def both(pieces: list[bytes]) -> int:
    """Send pieces both ways, see that the same comes back, and tell how many went the short way."""
    quick = Told()
    assert await heard(short(quick), told_app, pieces) == await heard(LONG, told_app, pieces)
    return quick.answered


async def test_a_plain_request_goes_the_short_way_and_reads_the_same():
    assert await both([WHOLE, WHOLE]) == 2


def sized(count: int) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n" % count + bytes(count)


@pytest.mark.parametrize(
    "pieces",
    [
        [HEAD, b"Content-Length: 4\r\n\r\n", b"body"],
        [WHOLE[:-2], WHOLE[-2:]],
        [WHOLE + b"\r\n"],
        [WHOLE + WHOLE],
        [WHOLE[:-1]],
        [HEAD, WHOLE],
        [b"\r\n" + WHOLE],
        [b"GET" + WHOLE[4:]],
        [WHOLE.replace(b"/pay", b"/pay?x=1")],
        [WHOLE.replace(b"/pay", b"/p%61y")],
        [WHOLE.replace(b"/pay", b"/other")],
        [WHOLE.replace(b"/pay", b"http://hub.test/pay")],
        [WHOLE.replace(b"1.1", b"1.0")],
        [WHOLE.replace(b"Host: hub.test\r\n", b"")],
        [WHOLE.replace(b"Host: hub.test", b"Host: hub.test\r\nHost: hub.test")],
        [WHOLE.replace(b"Host: hub.test", b"Host: hub test")],
        [WHOLE.replace(b"Length: 4", b"Length: +4")],
        [WHOLE.replace(b"Length: 4", b"Length: 4\r\nContent-Length: 4")],
        [WHOLE.replace(b"Length: 4", b"Length: 4\r\nTransfer-Encoding: chunked")],
        [WHOLE.replace(b"Length: 4", b"Length: 4\r\nExpect: 100-continue")],
        [WHOLE.replace(b"Length: 4", b"Length: 4\r\nConnection: close")],
        [WHOLE.replace(b"Length: 4", b"Length: 4\r\nAuthorization: Bearer x")],
        [WHOLE.replace(b"Length: 4", b"Length: 4\r\nIdempotency-Key: x")],
        [WHOLE.replace(b"Length: 4", b"Length: 4\r\nContent-Encoding: gzip")],
        [WHOLE.replace(b"Length: 4", b"Length: 4\r\n X-Folded: 1")],
        [WHOLE.replace(b"Length: 4", b"Length: 4\r\nAccept: a\r\nAccept: b")],
        [HEAD.replace(b"/pay", b"/early") + b"Content-Length: 500\r\n\r\n", WHOLE],
        [WHOLE.replace(b"\r\n", b"\n")],
        [sized(2490)],
    ],
)
async def test_what_is_not_plain_is_left_to_the_parser(pieces: list[bytes]):
    assert await both(pieces) == 0


async def test_the_ways_may_take_turns_on_one_connection():
    assert await both([WHOLE, WHOLE.replace(b"/pay", b"/other"), WHOLE]) == 2


async def begun(made: Any) -> tuple[Any, Wire]:
    protocol, wire = connected(made, told_app)
    protocol.data_received(WHOLE)
    return protocol, wire


@pytest.mark.parametrize(
    "meanwhile", [lambda protocol: protocol.data_received(WHOLE), lambda one: one.shutdown()]
)
async def test_a_second_request_or_a_stop_meanwhile_ends_the_connection(meanwhile: Any):
    said: list[tuple[bytes, bool]] = []
    for made in (short(Told()), LONG):
        protocol, wire = await begun(made)
        meanwhile(protocol)
        await settled(protocol)
        said.append((wire.written, wire.closed))
    assert said[0] == said[1]
    assert b"connection: close" in said[0][0] and said[0][1]


@pytest.mark.parametrize("fault", [None, ConnectionResetError()])
async def test_a_client_that_is_gone_is_told_nothing_and_no_task_is_left(fault: Any):
    protocol, wire = await begun(short(Told()))
    assert len(protocol.tasks) == 1
    protocol.connection_lost(fault)
    for _ in range(6):
        await asyncio.sleep(0)
    assert (wire.written, len(protocol.tasks)) == (b"", 0)


@pytest.mark.parametrize(
    "end", [lambda one: one.connection_lost(None), lambda one: one.cut(Malformed("late", "late"))]
)
async def test_what_comes_after_a_connection_has_ended_is_not_looked_at(end: Any):
    quick = Told()
    protocol, _ = connected(short(quick), told_app)
    end(protocol)
    protocol.data_received(WHOLE)
    await settled(protocol)
    assert quick.answered == 0


async def test_an_answer_that_is_interrupted_hangs_up():
    protocol, wire = await begun(short(Told(60)))
    await asyncio.sleep(0)
    [task] = protocol.tasks
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert (wire.written, wire.closed, len(protocol.tasks)) == (b"", True, 0)


async def test_a_field_that_would_break_its_line_is_not_sent():
    bad = Answer(200, [(b"content-length", b"0"), (b"location", b"/\r\nset-cookie: x")], b"")
    protocol, wire = await begun(short(Told(said=bad)))
    [task] = protocol.tasks
    await asyncio.wait([task])
    assert "a header field is one line" in str(task.exception())
    assert (wire.written, wire.closed) == (b"", True)


async def test_where_too_many_are_connected_the_short_way_is_closed():
    said: list[bytes] = []
    for made in (short(Told()), LONG):
        protocol, wire = connected(made, told_app)
        protocol._most = 0
        protocol.data_received(WHOLE)
        await settled(protocol)
        said.append(wire.written)
    assert b"too-busy" in said[0]
    assert said[0] == said[1]


async def test_a_client_that_does_not_read_what_it_was_answered_is_asked_no_more_of():
    protocol, wire = connected(short(Told()), told_app)
    protocol.pause_writing()
    protocol.data_received(WHOLE)
    await asyncio.sleep(0.01)
    assert wire.written == b""
    protocol.resume_writing()
    await settled(protocol)
    assert b"told" in wire.written


async def idle(made: Any, seconds: float) -> list[bool]:
    """Ask twice, and tell each time whether the connection stays, and at last whether it ends."""
    protocol, wire = connected(made, told_app)
    protocol.timeout_keep_alive = 0.1
    stays: list[bool] = []
    for _ in range(2):
        protocol.data_received(WHOLE)
        await asyncio.sleep(seconds)
        await settled(protocol)
        stays.append(not wire.closed)
    async with asyncio.timeout(5):
        while not wire.closed:  # noqa: ASYNC110 - a transport of this test tells nobody
            await asyncio.sleep(0.01)
    return stays


@pytest.mark.parametrize("made", [short(Told(0.15)), LONG])
async def test_a_connection_ends_when_it_is_idle_and_not_while_it_is_answered(made: Any):
    assert await idle(made, 0) == [True, True]


def test_a_head_is_plain_or_it_is_not():
    head = plain_head(HEAD + b"Content-Length: 4")
    assert head is not None
    assert (head.path, head.length, head.headers["host"]) == ("/pay", 4, "hub.test")
    assert plain_head(HEAD.strip()) is None, "without a length it is not known where it ends"
