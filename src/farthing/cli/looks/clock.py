"""The clock: whether something keeps it right, and how it stands beside others.

An order lives by the clock: a hub that is a minute off refuses devices that are right.
"""

import contextlib
import ctypes
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from farthing.cli.looks import Finding
from farthing.clock import NS, write_time
from farthing.core.orders import SKEW_SECONDS_MAX
from farthing.services.heads import HeadsFile
from farthing.settings import Config

_UNSYNCHRONISED = 0x0040
_WORST_MS_MAX = 1000
_APART_SECONDS_MAX = 2
"""An HTTP date counts whole seconds, and an answer takes some time."""

_SET = "let something keep it right: timedatectl set-ntp true, or chrony"


class _Timex(ctypes.Structure):
    """The head of Linux's `struct timex`, and room for what follows. Source: adjtimex(2)."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    )


@dataclass(frozen=True, slots=True)
class Kept:
    """What the kernel knows of the clock: whether it is kept right, and how far off at worst."""

    synchronised: bool
    worst_ms: float


def kept_by_kernel() -> Kept | None:
    """Ask the kernel how well the clock is kept; None where it cannot be asked.

    Source: adjtimex(2): with no modes it changes nothing and needs no rights.
    """
    adjtimex = None
    with contextlib.suppress(OSError, AttributeError):
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    told = _Timex()
    if adjtimex is None or adjtimex(ctypes.byref(told)) < 0:
        return None
    return Kept(not told.status & _UNSYNCHRONISED, told.maxerror / 1000)


def clock(config: Config) -> Iterator[Finding]:
    """Look at the clock beside the newest commit, which it must not be behind."""
    now = time.time_ns()
    newest = HeadsFile(config.path(config.audit.heads_path)).newest()
    ahead = (newest.time_ns - now) / NS if newest else 0
    if newest and ahead > 1:
        yield _behind(ahead, newest.time_ns)
        return
    yield Finding("clock", "ok", datetime.fromtimestamp(now / NS, UTC).isoformat()[:19] + "Z")


def _behind(ahead: float, books_ns: int) -> Finding:
    """Say what follows: the books' time never goes back, so payments wait for the clock."""
    until = write_time(books_ns // NS)
    seen = f"{ahead:.0f} s behind the newest commit: orders are late until {until}"
    if ahead <= SKEW_SECONDS_MAX:
        return Finding("clock", "warn", seen, _SET)
    do = (
        "set the clock right; if it is right now, it was ahead when that commit was made: wait, or"
        " put a copy from before back (see: the clock was ahead, in docs/howto/find-what-is-wrong)"
    )
    return Finding("clock", "fail", seen, do)


def synchronised(_config: Config) -> Iterator[Finding]:
    """Look whether the kernel says that something keeps the clock right."""
    yield judged_kept(kept_by_kernel())


def judged_kept(kept: Kept | None) -> Finding:
    """Judge what the kernel knows."""
    what = "clock's keeper"
    if kept is None:
        return Finding(what, "ok", "this system does not say whether NTP keeps the clock")
    if not kept.synchronised:
        return Finding(what, "warn", "nothing keeps the clock right (no NTP)", _SET)
    off = f"at most {kept.worst_ms:.0f} ms off"
    if kept.worst_ms > _WORST_MS_MAX:
        return Finding(what, "warn", f"kept right, but {off}", "look into its NTP servers")
    return Finding(what, "ok", f"kept right, {off}")


def beside(whose: str, theirs_s: float, ours_s: float) -> Finding:
    """Judge our clock beside another one; which of the two is right cannot be known."""
    apart = ours_s - theirs_s
    what = f"clock of {whose}"
    if abs(apart) <= _APART_SECONDS_MAX:
        return Finding(what, "ok", f"within {_APART_SECONDS_MAX} s of ours")
    seen = f"ours is {abs(apart):.0f} s {'ahead' if apart > 0 else 'behind'}"
    state = "fail" if abs(apart) > SKEW_SECONDS_MAX else "warn"
    return Finding(what, state, seen, f"see which one is right; {_SET}")
