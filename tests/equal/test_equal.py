"""The same operations on every engine are answered the same, to the byte.

Compared are status, header fields and body of every answer, what is due at each time, the audit
with its head, and in the end every row of every table. Hubs have the same keys, clock and luck, and
are asked one thing after the other; what is asked at once is many orders in one request. Of the one
whose money a cluster keeps, in memory where there is no TigerBeetle, all is compared but the bytes
of digests and signatures that cover the cluster's times (`blurring.py`).
"""

import secrets
from pathlib import Path

import pytest

from tests.equal.engines import ENGINES
from tests.equal.hubs import Differs, Hubs
from tests.equal.story import tell
from tests.equal.wire import Ask

USUAL_DOINGS, LONG_DOINGS = 90, 400


async def test_every_engine_answers_the_same(tmp_path: Path, postgres_server):
    seed = secrets.randbelow(2**32)
    print(f"seed {seed}")
    crowd = await tell(seed, USUAL_DOINGS, tmp_path, postgres_server)
    assert crowd.told["200"] > USUAL_DOINGS / 3  # Most of what is drawn can be done.


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(1, 21))
async def test_every_engine_answers_the_same_for_long(seed: int, tmp_path: Path, postgres_server):
    await tell(seed, LONG_DOINGS, tmp_path, postgres_server)


@pytest.mark.parametrize("engine", list(ENGINES)[1:])
async def test_one_other_answer_is_seen_and_said_where(
    tmp_path: Path, postgres_server, engine: str
):
    hubs = Hubs(tmp_path, postgres_server)
    try:
        await hubs.open()
        await hubs.ask(Ask("GET", "/v1/owners", operator=True))
        hubs.draw_otherwise(engine)
        with pytest.raises(Differs, match="request 2"):
            await hubs.ask(Ask("POST", "/v1/owners", b'{"name": "somebody"}', operator=True))
        with pytest.raises(Differs, match="head"):
            await hubs.compare_heads()
    finally:
        await hubs.close()
