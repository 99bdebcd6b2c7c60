"""Whoever was refused or has gone leaves nothing in memory, also while nobody looks for garbage.

A server looks for garbage seldom (farthing.cli.running), and what waits for that may be large.
"""

import asyncio
import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path

from farthing.keys import new_signer
from farthing.protocols.message_signatures import SignedMessage
from farthing.web.guard import Guard
from farthing.web.proxy import ReverseProxy
from farthing.web.strict_http import StrictHttp
from farthing.web.upstream_connection import Connection

from .api.town import Machine, open_town
from .behind_guard import GET, HEAD, client, clients, guarding, until
from .shop import Counter
from .test_slow_clients import POST, STRANGERS, Big


@contextlib.contextmanager
def nobody_looks() -> Iterator[None]:
    """Let nothing be found as garbage meanwhile, and what other tests hold not be counted."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def left(kind: type) -> int:
    """Count what has come of a kind since nobody looks."""
    return sum(isinstance(one, kind) for one in gc.get_objects())


async def test_nothing_is_left_of_connections_that_were_refused():
    guard = Guard(requests_bytes_max=1_048_576)
    asked = (POST + bytes(100_000), HEAD + b"a:\r\n" * 130, b"nonsense\r\n\r\n", GET * 5)
    with nobody_looks():
        async with guarding(Counter(seconds=0.2), guard) as port:
            for sent in asked:
                async with clients(port, STRANGERS * 3) as many:
                    for one in many:
                        await one.send(sent)
                    await asyncio.gather(*(one.reader.read(1) for one in many))
                await until(lambda: not guard.places.held)
            await until(lambda: left(StrictHttp) == 0)
            assert not guard.requests.held


async def test_nothing_is_left_of_an_answer_whose_client_has_gone():
    with nobody_looks():
        async with guarding(Big(), Guard()) as service:
            front, guard = ReverseProxy(f"http://127.0.0.1:{service}"), Guard()
            async with guarding(front, guard) as port:
                for _ in range(3):
                    async with client(port, limit=1024) as idle:
                        await idle.send(GET)
                        await until(lambda: left(Connection))
                        await idle.reader.read(1)
                    await until(lambda: not guard.places.held)
                await until(lambda: left(Connection) == 0)
            await front.aclose()


async def test_nothing_is_left_of_a_request_whose_signature_does_not_hold(tmp_path: Path):
    async with open_town(tmp_path) as town:
        known = town.machines["meter"]
        town.machines["thief"] = Machine(known.id, known.account, known.mandate, new_signer())
        with nobody_looks():
            for _ in range(3):
                answer = await town.ask("GET", "/v1/payments", who="thief")
                assert answer.json()["code"] == "signature-invalid"
            assert left(SignedMessage) == 0
