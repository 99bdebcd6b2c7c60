"""Whatever is sent, and however it is cut, a hub with the short way answers as one without it."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.services.watch import Unwatched
from farthing.settings import LimitSettings
from farthing.web.api.routes import is_quick
from farthing.web.app import HubApp, all_endpoints
from farthing.web.door import guarded
from farthing.web.guard import Guard
from farthing.web.plain_head import PlainHead
from farthing.web.problems import Answer
from farthing.web.quick_http import Quick, quickly
from tests.effort import examples
from tests.web.api.town import Town, body_of, config_in, open_town

from .wire import HERE, STRANGER, heard

FIELDS = [
    b"Accept: */*",
    b"Connection: close",
    b"Connection: keep-alive",
    b"Content-Length: 4",
    b"Expect: 100-continue",
    b"Host: a",
    b"Transfer-Encoding: chunked",
    b"Upgrade: websocket",
]
BITS = [b"\r\n", b"\n", b"\r", b": ", b":", b" ", b'"', b"%", b"?", b"POST", b"\x00", b"\xff"]
PIECES = st.sampled_from([*FIELDS, *BITS]) | st.binary(max_size=2)


class Watching(Unwatched):
    """Keeps what a watch is told of requests."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def request(self, headers: Any) -> "Watching":
        self.told.append(list(headers))
        return self

    def named(self, name: str) -> None:
        self.told.append(name)

    def answered(self, status: int) -> None:
        self.told.append(status)


class Counted:
    """A hub's short way, and how often it was gone."""

    def __init__(self, quick: Quick) -> None:
        self.takes, self._quick, self.answered = quick.takes, quick, 0

    async def answer(self, head: PlainHead, body: bytes, client: Any) -> Answer:
        self.answered += 1
        return await self._quick.answer(head, body, client)


class Ways:
    """One hub, asked both ways."""

    def __init__(self, town: Town, run: Any) -> None:
        self.town, self._run = town, run

    def alike(self, pieces: list[bytes], client: str = HERE) -> tuple[bytes, int]:
        """Send pieces both ways; what comes back, is counted and is logged must be the same.

        Shape: what came back, and how many requests went the short way.
        """
        desk, said = self.town.hub.desk, []
        quick = Counted(HubApp(desk).router)
        for made in (quickly(Guard(), quick), guarded(Guard())):
            desk.ctx.watch = watch = Watching()
            with structlog.testing.capture_logs() as logged:
                back = self._run(heard(made, HubApp(desk), pieces, client))
            said.append((back, watch.told, logged))
        assert said[0] == said[1]
        return said[0][0][0], quick.answered


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    folder = tmp_path_factory.mktemp("hub")
    limits = LimitSettings(address_per_second=1, address_burst=2)
    config = msgspec.structs.replace(config_in(folder), limits=limits)
    with asyncio.Runner() as runner, contextlib.ExitStack() as closing:
        opened = open_town(folder, config=config)
        town = runner.run(opened.__aenter__())
        closing.callback(lambda: runner.run(opened.__aexit__(None, None, None)))
        yield Ways(town, runner.run)


def post(body: Any, path: bytes = b"/v1/payments") -> bytes:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    head = b"POST %b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n"
    return head % (path, len(raw)) + raw


@given(st.data())
@settings(max_examples=examples(100), deadline=None)
def test_no_change_and_no_cut_makes_the_two_ways_differ(ways: Ways, data: Any):
    whole = post(body_of(ways.town.order(nonce="0" * 26)))
    raw = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(raw)))
        end = data.draw(st.integers(start, min(len(raw), start + 12)))
        raw[start:end] = data.draw(PIECES)
    stream = bytes(raw) + whole
    places = st.just(len(raw)) | st.integers(0, len(stream))
    first, second = sorted((data.draw(places), data.draw(places)))
    ways.alike([p for p in (stream[:first], stream[first:second], stream[second:]) if p])


def test_a_hub_answers_both_ways_alike(ways: Ways):
    town = ways.town
    good = body_of(town.order())
    asked = {
        200: [post(good), post(msgspec.json.encode(good).replace(b'":"', b'": "'))],
        400: [post(b"{}"), post(b""), post(b"nonsense"), post(good | {"more": "x"})],
        401: [post(body_of(town.order()) | {"signature": "A" * 86})],
        403: [post(body_of(town.order()) | {"category": "nobody's"})],
        422: [
            post(body_of(town.order(10**12))),
            post(body_of(town.order(payee="acc_" + "0" * 26))),
        ],
    }
    for status, requests in asked.items():
        for request in requests:
            back, quick = ways.alike([request])
            assert (int(back.split(b" ", 2)[1]), quick) == (status, 1), back


def test_who_asks_too_often_is_told_so_both_ways(ways: Ways):
    back, quick = ways.alike([post(b"{}")] * 3, STRANGER)
    assert (back.count(b"HTTP/1.1 400"), back.count(b"HTTP/1.1 429"), quick) == (2, 1, 3)


def test_every_way_to_ask_without_a_key_is_alike(ways: Ways):
    paths = [e.path.encode() for e in all_endpoints() if is_quick(e)]
    assert b"/v1/payments" in paths
    for path in paths:
        assert ways.alike([post(b"{}", path)])[1] == 1, path
