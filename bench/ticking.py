"""`ticks`: bare ticks at `POST /v1/accounts/{account}/ticks`, 16,000 in a request, none skipped.

Every tick is sent and checked by itself: its value is one hash away from the one before it. Each
request has a thousand in a row of each of sixteen sessions, and the hub keeps the highest of each
before it answers. The ladders are made, and their vouchers drawn, beforehand.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import psutil

from bench.drawing import open_sessions
from bench.figures import Figure
from bench.fleet import Fleet
from bench.load import Job
from bench.processes import measure
from farthing.app import open_hub
from farthing.clock import NS
from farthing.core.ladders import Climber
from farthing.core.sessions import Session
from farthing.core.ticks import LADDER_TICKS_MAX, Tick, write_tick
from farthing.core.vouchers import Claims, sign_voucher
from farthing.errors import FarthingError
from farthing.services.proving import Presented
from farthing.settings import Config

IN_A_ROW, SESSIONS_EACH, CONNECTIONS = 1000, 16, 4
_SUPPOSED_PER_S = 1_200_000
_BLOCKS_MAX = LADDER_TICKS_MAX // IN_A_ROW


@dataclass(slots=True)
class Row:
    """A session with its ladder, as one row of ticks. Shape: `used` blocks of it were written."""

    session: Session
    ticks: list[bytes]
    used: int = 0

    def block(self) -> bytes:
        """Write the next thousand."""
        start = self.used * IN_A_ROW
        self.used += 1
        return b"".join(self.ticks[start : start + IN_A_ROW])


def ladders(config: Config, fleet: Fleet, seconds: float) -> list[Row]:
    """Open sessions of one payee, and have a ladder of each drawn."""
    wanted = int(_SUPPOSED_PER_S * seconds / IN_A_ROW) + (CONNECTIONS + 1) * SESSIONS_EACH
    many = max(CONNECTIONS * SESSIONS_EACH, -(-wanted // _BLOCKS_MAX))
    few = replace(fleet, spenders=fleet.spenders[:many], payees=fleet.payees[:1])
    sessions = asyncio.run(open_sessions(config, few))
    blocks = min(_BLOCKS_MAX, -(-wanted // len(sessions)))
    rows: list[Row] = []
    vouchers: list[Presented] = []
    signers = {spender.device: spender.signer for spender in fleet.spenders}
    for number, session in enumerate(sessions):
        most = blocks * IN_A_ROW
        climber = Climber(session.alias, number.to_bytes(16, "big"), most)
        claims = Claims(session.alias, 0, 1, session.ends_ns // NS, climber.ladder(1))
        raw = sign_voucher(signers[session.device], session.agreed, claims)
        vouchers.append(Presented(session.id, raw))
        row = [write_tick(Tick(session.alias, *climber.rung(n))) for n in range(1, most + 1)]
        rows.append(Row(session, row))
    asyncio.run(_draw(config, vouchers))
    return rows


async def _draw(config: Config, vouchers: Sequence[Presented]) -> None:
    hub = await open_hub(config)
    try:
        for answer in await hub.desk.sessions.draw_many(vouchers):
            if isinstance(answer, FarthingError):
                raise answer
    finally:
        await hub.close()


def run_ticks(
    config: Config, rows: Sequence[Row], hub: psutil.Process, port: int, *, seconds: float
) -> Figure:
    """Send ticks for some seconds."""
    together = min(SESSIONS_EACH, len(rows))
    path = f"/v1/accounts/{rows[0].session.payee}/ticks"
    left = sum(len(each.ticks) // IN_A_ROW for each in rows) // together
    requests = [_request(path, rows, n, together) for n in range(left)]
    each = together * IN_A_ROW
    proof = b'"right":%d' % IN_A_ROW
    job = Job(port, CONNECTIONS, seconds, CONNECTIONS, requests, each, proof, together)
    return measure(config, hub, job, "ticks")


def _request(path: str, rows: Sequence[Row], n: int, together: int) -> bytes:
    """Write a request with the next ticks of the next sessions."""
    chosen = [rows[(n * together + i) % len(rows)] for i in range(together)]
    body = b"".join(each.block() for each in chosen)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/octet-stream\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
