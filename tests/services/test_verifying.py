"""Signatures are verified off the event loop, and who brings many waits for itself."""

import asyncio

import pytest

from farthing import keys
from farthing.errors import TooMuch, Unavailable
from farthing.services import verifying
from farthing.services.verifying import Verifier
from farthing.threads import Threads

SIGNER = keys.new_signer()
FORGED = bytes(64)


@pytest.fixture
def verifier():
    with Threads(2) as threads:
        yield Verifier(threads)


def flooding(verifier: Verifier, count: int, of: str) -> list[asyncio.Task[str]]:
    asked = (verifier.match([SIGNER.public], FORGED, b"x", of) for _ in range(count))
    return [asyncio.ensure_future(one) for one in asked]


async def test_a_flood_of_forgeries_keeps_nobody_else_waiting(verifier):
    flood = flooding(verifier, 3000, "somebody dev_1")
    await asyncio.sleep(0)
    signature = SIGNER.sign(b"order")
    assert await verifier.match([SIGNER.public], signature, b"order", "me dev_1") == SIGNER.public
    assert verifier.bad < 500
    assert set(await asyncio.gather(*flood)) == {""}
    assert (verifier.good, verifier.bad, verifier.waiting) == (1, 3000, 0)


async def test_nobody_fills_the_line_alone_and_a_full_one_is_503(verifier, monkeypatch):
    verifier._queue.most = 100
    flood = flooding(verifier, 200, "somebody dev_1")
    await asyncio.sleep(0)
    assert verifier.waiting == 50
    assert sum(isinstance(t.exception(), TooMuch) for t in flood if t.done()) > 50
    others = [flooding(verifier, 10, f"other-{n}") for n in range(60)]
    await asyncio.sleep(0)
    faults = [t.exception() for some in others for t in some if t.done()]
    assert all(isinstance(fault, Unavailable) for fault in faults)
    assert "too-busy" in {fault.code for fault in faults}
    await asyncio.gather(*flood, *(t for some in others for t in some), return_exceptions=True)
    assert verifying.WAITING_MAX >= 10_000


async def test_what_is_asked_together_is_answered_in_order_each_by_itself(verifier):
    verifier._queue.most = 100
    good = [([SIGNER.public], SIGNER.sign(b"%d" % n), b"%d" % n) for n in range(60)]
    claims = [("mine", claim) for claim in good]
    claims[7] = ("mine", ([SIGNER.public], FORGED, b"7"))
    answers = await verifier.match_each([*claims, ("other", good[0])])
    assert answers[7] == ""
    assert answers[:7] == [SIGNER.public] * 7
    assert {type(fault) for fault in answers[50:60]} == {TooMuch}  # Half of the room is one's own.
    assert answers[60] == SIGNER.public
    assert (verifier.good, verifier.bad, verifier.waiting) == (50, 1, 0)
    assert await verifier.match_each([]) == []


async def test_what_comes_in_one_turn_is_shared_by_the_threads(verifier, monkeypatch):
    sizes: list[int] = []
    run = verifier._threads.run
    monkeypatch.setattr(
        verifier._threads, "run", lambda work, some: (sizes.append(len(some)), run(work, some))[1]
    )
    asked = [verifier.match([SIGNER.public], SIGNER.sign(b"x"), b"x") for _ in range(9)]
    assert await asyncio.gather(*asked) == [SIGNER.public] * 9
    assert sizes == [5, 4]


async def test_a_lone_one_is_verified_at_once_where_nobody_else_wants_the_interpreter():
    shared = False
    with Threads(1) as threads:
        verifier = Verifier(threads, lambda: shared)
        threads.close()  # So that nothing can be asked of them.
        assert await verifier.match([SIGNER.public], SIGNER.sign(b"x"), b"x") == SIGNER.public
        assert await verifier.match([SIGNER.public], FORGED, b"x") == ""
        assert (verifier.good, verifier.bad) == (1, 1)
        shared = True
        waits = asyncio.ensure_future(verifier.match([SIGNER.public], FORGED, b"x"))
        await asyncio.sleep(0)
        assert verifier.waiting == 1
        waits.cancel()
