"""What is about bytes on the wire: each door is asked over a socket, byte by byte."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from farthing.web.app import HubApp
from tests.routes.places import under_granian
from tests.web.api.town import open_town
from tests.web.shop import serving

from .hall import MIDDLEWARE, PROXY, Place, open_hall

GONE = b"Connection: close\r\n"
TWICE = [b"Host: a\r\nHost: b\r\n", b"Host: a\r\nHost: a\r\n"]
HOSTS = [b"", b"Host: a b\r\n", b"Host: a/b\r\n", *TWICE]
BOTH = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"
TWO_LENGTHS = [
    b"Content-Length: 5\r\nContent-Length: 6\r\n",
    b"Content-Length: +5\r\n",
]
NOT_CHUNKED = [b"Transfer-Encoding: chunked, gzip\r\n", b"Transfer-Encoding: gzip\r\n"]
SECOND = b"\r\n0\r\n\r\nGET /free HTTP/1.1\r\nHost: a\r\n\r\n"
HUGE = b"X-Huge: " + b"h" * 100_000 + b"\r\n"
REFUSED = (400, 414, 431)
_STATUS = re.compile(rb"HTTP/1\.1 [0-9]{3} ")


class Door(NamedTuple):
    """Where to ask. Shape: `path` is answered to anybody, `posted` takes a body."""

    url: str
    path: bytes
    posted: bytes


async def told(url: str, request: bytes) -> tuple[int, int, bool]:
    """Ask by bytes; give the first status, how many answers came, and whether it hung up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    answer, hung_up = b"", False
    with contextlib.suppress(ConnectionError):
        writer.write(request)
        await writer.drain()
    try:
        async with asyncio.timeout(3):
            while part := await reader.read(65536):
                answer += part
            hung_up = True
    except ConnectionError:
        hung_up = True
    except TimeoutError:
        pass
    writer.transport.abort()
    status = int(answer[9:12]) if answer else 0
    return status, len(_STATUS.findall(answer)), hung_up


@contextlib.asynccontextmanager
async def door(at: str, folder: Path) -> AsyncIterator[Door]:
    """Open a door: the hub's own API, the middleware or the proxy, each under uvicorn."""
    if at == "hub":
        async with open_town(folder) as town, serving(HubApp(town.hub.desk)) as url:
            yield Door(url, b"/supported", b"/verify")
    else:
        async with open_hall(Place(folder, at)) as hall:
            yield Door(hall.url, b"/free", b"/free")
            assert hall.stall.runs == 0


DOORS = pytest.mark.parametrize("at", ["hub", MIDDLEWARE, PROXY])


async def check_hosts(at: Door) -> None:
    """A request whose host could be read in two ways is 400."""
    for hosts in HOSTS:
        for path in (at.path, b"/paid"):
            status, *_ = await told(at.url, b"GET %b HTTP/1.1\r\n%b%b\r\n" % (path, GONE, hosts))
            assert status == 400, (path, hosts)


async def check_framing(at: Door, framings: list[bytes]) -> None:
    """A request whose end could be read in two ways is 400, and nothing after it is heard."""
    for framing in framings:
        head = b"POST %b HTTP/1.1\r\nHost: a\r\n%b" % (at.posted, framing)
        assert await told(at.url, head + SECOND) == (400, 1, True), framing


async def check_absolute(at: Door) -> None:
    """A target that names another host is refused."""
    for host in (b"evil.example", b"a"):
        line = b"GET http://%b%b HTTP/1.1\r\nHost: a\r\n%b\r\n" % (host, at.path, GONE)
        status, *_ = await told(at.url, line)
        assert status in (400, 404), host


async def check_huge(at: Door) -> None:
    """A header of 100 KB is refused, or the connection is cut."""
    head = b"GET %b HTTP/1.1\r\nHost: a\r\n%b\r\n" % (at.path, HUGE)
    status, _, hung_up = await told(at.url, head)
    assert status in REFUSED or (not status and hung_up)


@pytest.mark.rule("rfc9112.host", on="hub middleware proxy uvicorn")
@DOORS
async def test_host(at: str, tmp_path: Path):
    """A missing, repeated or invalid Host is 400."""
    async with door(at, tmp_path) as opened:
        await check_hosts(opened)


@pytest.mark.rule("rfc9112.two-lengths", on="hub middleware proxy uvicorn")
@DOORS
async def test_two_lengths(at: str, tmp_path: Path):
    """Lengths that contradict each other are refused, and the connection is closed."""
    async with door(at, tmp_path) as opened:
        await check_framing(opened, [BOTH, *TWO_LENGTHS])


@pytest.mark.rule("rfc9112.chunked-last", on="hub middleware proxy uvicorn")
@DOORS
async def test_a_coding_that_does_not_end(at: str, tmp_path: Path):
    """A coding that does not end in chunked is refused, and the connection is closed."""
    async with door(at, tmp_path) as opened:
        await check_framing(opened, NOT_CHUNKED)


@pytest.mark.rule("trap.absolute-form", on="hub middleware proxy uvicorn")
@DOORS
async def test_absolute_targets_are_refused(at: str, tmp_path: Path):
    """A whole URL in the place of a path is refused."""
    async with door(at, tmp_path) as opened:
        await check_absolute(opened)


@pytest.mark.rule("trap.huge-head", on="hub middleware proxy uvicorn")
@DOORS
async def test_a_huge_header_is_cut_off(at: str, tmp_path: Path):
    """A header of 100 KB is refused."""
    async with door(at, tmp_path) as opened:
        await check_huge(opened)


@pytest.mark.rule("rfc9112.host", "rfc9112.two-lengths", "rfc9112.chunked-last", on="granian")
@pytest.mark.rule("trap.huge-head", on="granian")
async def test_granian_too():
    """The same under granian, whose parser is another one."""
    with under_granian() as place:
        opened = Door(place.url, b"/free", b"/free")
        await check_hosts(opened)
        await check_framing(opened, TWO_LENGTHS + NOT_CHUNKED)
        await check_huge(opened)
        # Granian shows an app the path of a whole URL: it costs what the path costs.
        whole = await told(place.url, b"GET http://a/paid HTTP/1.1\r\nHost: a\r\n%b\r\n" % GONE)
        assert whole[0] in (400, 402)
        # RFC 9112 leaves it to read by the coding alone; the connection must be closed then.
        both = await told(place.url, b"POST /free HTTP/1.1\r\nHost: a\r\n" + BOTH + SECOND)
        assert both in ((400, 1, True), (200, 1, True))
