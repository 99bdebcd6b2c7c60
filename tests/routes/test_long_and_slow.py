"""Many at once, slow, long and broken off: under each server the paywall keeps its word.

What neither of them is asked here: how many connections there are, and who does not read. Our
own server bounds that; before granian a proxy has to (docs/howto/serve-a-priced-app.md).
"""

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
import pytest

from tests.ports import free_port
from tests.races.wire import Ask, Told, at_once
from tests.web.shop import Shop

from .goods import BODY_BYTES_MAX, PART, PARTS, TICK_SECONDS, TICKS, new_shop
from .places import process

UVICORN = (
    "import uvicorn, tests.routes.goods as goods; from farthing.web.strict_http import StrictHttp;"
    "uvicorn.run(goods.app, port={port}, http=StrictHttp, log_level='critical')"
)
GRANIAN = ["-m", "granian", "--interface", "asgi", "--no-log", "--port", "{port}"]
SERVERS = {"uvicorn": ["-c", UVICORN], "granian": [*GRANIAN, "tests.routes.goods:app"]}
PRICE = 1500
PLAIN: dict[str, Any] = {"trust_env": False, "verify": False}
FILM = len(PART) * PARTS + len(b"goods")


@dataclass
class Place:
    """A shop in a process of its own, and a buyer of it."""

    url: str
    shop: Shop

    def books(self) -> dict[str, Any]:
        """Tell how its books and its goods stand."""
        return httpx.get(f"{self.url}/-/books", **PLAIN).json()

    def proof(self, path: str, method: str = "GET", body: bytes = b"") -> dict[str, str]:
        """Sign what it asks for a path."""
        asked = httpx.request(method, self.url + path, content=body, **PLAIN)
        assert asked.status_code == 402, asked.text
        return self.shop.sign(asked, "x402")

    def ask(self, path: str, proof: dict[str, str]) -> Ask:
        """Write a request that pays."""
        return Ask(self.url, "GET", path, None, proof)

    @property
    def memory(self) -> int:
        """Sum the resident memory of the server's processes."""
        port = int(self.url.rpartition(":")[2])
        parent = next(p for p in psutil.Process().children() if str(port) in " ".join(p.cmdline()))
        return sum(p.memory_info().rss for p in (parent, *parent.children(recursive=True)))

    def raw(self, head: str, body: bytes = b"") -> socket.socket:
        """Send a request as it is, and leave the rest to the test."""
        connection = socket.create_connection(("127.0.0.1", int(self.url.rpartition(":")[2])), 10)
        connection.sendall(f"{head}\r\nHost: shop\r\n".encode() + body)
        return connection


@pytest.fixture(scope="module", params=SERVERS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    port = free_port()
    command = [word.format(port=port) for word in SERVERS[request.param]]
    with process(sys.executable, *command, port=port) as url:
        place = Place(url, new_shop())
        place.shop.device = place.books()["device"]
        yield place


def sold(place: Place, before: dict[str, Any]) -> int:
    """Tell how many payments were taken since."""
    now = place.books()
    taken, old = (books["states"].count("captured") for books in (now, before))
    assert now["earned"] - before["earned"] == (taken - old) * PRICE
    return taken - old


def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def run(asks: list[Ask]) -> list[Told]:
    return asyncio.run(at_once(asks))


def test_one_proof_two_hundred_times_at_once_is_one_delivery_and_one_payment(place: Place):
    before, proof = place.books(), place.proof("/slow")
    told = run([place.ask("/slow", proof)] * 200)
    assert {(answer.status, answer.body) for answer in told} == {(200, b"goods")}
    assert len({dict(answer.headers)["payment-response"] for answer in told}) == 1
    assert place.books()["begun"]["slow"] == before["begun"].get("slow", 0) + 1
    assert sold(place, before) == 1


def test_many_proofs_at_once_are_each_served_once_and_failures_cost_nothing(place: Place):
    before = place.books()
    asks = [place.ask(path, place.proof(path)) for path in ("/page", "/fails") for _ in range(30)]
    told = run(asks * 2)
    assert [answer.status for answer in told[:30]] == [200] * 30
    assert {answer.status for answer in told[30:60]} <= {500, 402}
    assert place.books()["begun"]["page"] == before["begun"].get("page", 0) + 30
    assert sold(place, before) == 30


def test_a_stream_is_heard_while_it_is_told(place: Place):
    before = place.books()
    proof, heard = place.proof("/ticks"), list[float]()
    with httpx.stream("GET", f"{place.url}/ticks", headers=proof, **PLAIN) as answer:
        assert answer.status_code == 200
        for _ in answer.iter_raw():
            heard.append(time.monotonic())
    assert len(heard) >= TICKS
    assert heard[-1] - heard[0] > TICK_SECONDS * (TICKS - 2)
    assert sold(place, before) == 1


def test_who_hangs_up_on_a_stream_has_paid_for_it_once_and_holds_nothing(place: Place):
    before, proof = place.books(), place.proof("/film")
    with httpx.stream("GET", f"{place.url}/film", headers=proof, **PLAIN) as answer:
        assert len(next(answer.iter_raw())) > 0
    until(lambda: "held" not in place.books()["states"])
    assert sold(place, before) == 1


def test_fifty_megabytes_are_given_whole_to_a_slow_reader_and_not_kept_in_memory(place: Place):
    proof, got, before = place.proof("/film"), 0, place.memory
    highest = before
    with httpx.stream("GET", f"{place.url}/film", headers=proof, **PLAIN) as answer:
        for part in answer.iter_raw():
            if got == 0 or got // 4_000_000 != (got + len(part)) // 4_000_000:
                time.sleep(0.05)
                highest = max(highest, place.memory)
            got += len(part)
    assert got == FILM
    assert highest - before < 25_000_000


def test_a_body_that_is_too_big_or_too_slow_or_broken_off_costs_nothing(place: Place):
    before = place.books()
    big = httpx.post(f"{place.url}/page", content=bytes(BODY_BYTES_MAX + 1), **PLAIN)
    assert (big.status_code, big.json()["code"]) == (413, "body-too-large")
    proof = place.proof("/page", "POST", bytes(100))
    field = "".join(f"{name}: {value}\r\n" for name, value in proof.items()).encode()
    head = field + b"Content-Length: 100\r\n\r\n"
    with place.raw("POST /page HTTP/1.1", head + bytes(50)) as slow:
        slow.settimeout(10)
        assert b" 408 " in slow.recv(65536).partition(b"\r\n")[0]
    place.raw("POST /page HTTP/1.1", head + bytes(50)).close()
    with place.raw("POST /page HTTP/1.1", head + bytes(100)) as whole:
        assert b" 200 " in whole.recv(65536).partition(b"\r\n")[0]
    assert place.books()["begun"]["page"] == before["begun"].get("page", 0) + 1
    assert sold(place, before) == 1


def test_bodies_that_wait_are_bounded_all_together(place: Place):
    before = place.books()
    head = b"Content-Length: 65000\r\n\r\n" + bytes(64_000)
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(place.raw("POST /page HTTP/1.1", head)) for _ in range(12)]
        told: list[bytes] = []
        for one in waiting:
            one.settimeout(10)
            told.append(one.recv(65536).split(b" ")[1])
    # Four fit; who waits in vain is told so, and who has a place is late in the end.
    assert set(told) == {b"503", b"408"}
    assert told.count(b"503") >= 12 - 4
    assert sold(place, before) == 0
    page = httpx.get(f"{place.url}/page", headers=place.proof("/page"), **PLAIN)
    assert page.content == b"goods"
