"""`soak`: full load for ten minutes; memory is looked at all along, and the books are audited.

The load comes in rounds, since orders are signed beforehand. `--only soak --seconds 600`.
"""

import asyncio

import msgspec

from bench.figures import Figure, percentile
from bench.fleet import Fleet
from bench.payments import run_single
from bench.processes import hub_of, resident_bytes
from farthing.demo.finale import audit_books
from farthing.errors import InvariantBroken
from farthing.settings import Config

_ROUND_SECONDS = 20.0
_MIB = 2**20


def run_soak(config: Config, fleet: Fleet, *, seconds: float) -> Figure:
    """Pay at 64 connections for that long.

    Raises: InvariantBroken when the audit finds anything.
    """
    rounds: list[Figure] = []
    resident: list[float] = []
    with hub_of(config) as (hub, port):
        while sum(_seconds_of(figure) for figure in rounds) < seconds:
            length = min(_ROUND_SECONDS, seconds)
            rounds.append(run_single(config, fleet, hub, port, 64, seconds=length))
            resident.append(round(resident_bytes(hub) / _MIB, 1))
    report = asyncio.run(audit_books(config))
    if not report.ok:
        raise InvariantBroken("bench", f"the audit after the soak: {report.text}")
    return _together(rounds, resident)


def _seconds_of(figure: Figure) -> float:
    return figure.counted / figure.rate_per_s


def _together(rounds: list[Figure], resident: list[float]) -> Figure:
    counted, commits = sum(f.counted for f in rounds), sum(f.commits for f in rounds)
    cpu = sum(f.cpu_us_each * f.counted for f in rounds) / counted
    return msgspec.structs.replace(
        rounds[-1],
        name="soak",
        rate_per_s=round(counted / sum(map(_seconds_of, rounds)), 1),
        p50_ms=percentile(sorted(f.p50_ms for f in rounds), 0.5),
        p99_ms=max(f.p99_ms for f in rounds),
        cpu_us_each=round(cpu, 1),
        counted=counted,
        commits=commits,
        per_commit=round(counted / max(1, commits), 1),
        resident_mib=resident[-1],
        resident_mib_over_time=resident,
    )
