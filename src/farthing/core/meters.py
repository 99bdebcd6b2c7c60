"""Meters: a session as its payee keeps it, what was promised beside what was counted.

A payee needs nobody to serve a session: it knows key, terms and deposit from the opening, keeps
the highest voucher and the whole count, and what is owed follows from the count. Everything here
is a decision on one meter; `services/kept_meters.py` keeps them.
"""

from functools import lru_cache
from typing import Any

import msgspec

from farthing import ids
from farthing.clock import NS
from farthing.core.promises import Promise, is_ahead
from farthing.core.records import Table
from farthing.core.tariffs import Tariff, affordable, owed, read_tariff
from farthing.core.vouchers import Agreed, read_voucher, session_alias
from farthing.errors import Conflict, FarthingError, PaymentRefused, ensure

PARTS = 1_000_000_000
"""Into how many parts one of what is counted can be cut: a second into nanoseconds."""

ENDINGS = ("session-over", "session-revoked", "voucher-expired", "account-frozen")
"""Why a hub takes nothing new for a session; what was accepted before it still takes."""


class SeenSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session as the hub shows it to its payee.

    Units: `deposit`, `promised` and `captured` count smallest units; times are ns.
    Shape: `tariff` is its canonical JSON; `key` is what its vouchers are signed with.
    """

    session: str
    closed: bool
    device: str
    payee: str
    asset: str
    key: str
    tariff: str
    purpose: str
    deposit: int
    promised: int
    sequence: int
    captured: int
    ends_ns: int
    closes_ns: int


class Meter(msgspec.Struct, frozen=True, kw_only=True):
    """What a payee keeps of one session.

    Units: `deposit`, `units` (all that is promised) and `handed` (what the hub has of that) count
           smallest units; `count` is what was used, `part` what is left over below one, in
           billionths; times are ns.
    Shape: `voucher` is the highest one accepted, `ticks` and `tick` the count and the value of the
           highest tick of its ladder: the anchor at 0, nothing without a ladder; `stopped` says
           why nothing new is taken.
    """

    session: str
    device: str
    payee: str
    asset: str
    key: str
    tariff: str
    purpose: str
    deposit: int
    ends_ns: int
    closes_ns: int
    units: int = 0
    sequence: int = 0
    voucher: bytes = b""
    handed: int = 0
    count: int = 0
    part: int = 0
    stopped: str = ""
    ticks: int = 0
    tick: bytes = b""

    @property
    def promise(self) -> Promise | None:
        """What was shown for what is promised, if that was shown here: it was checked then."""
        if not self.voucher:
            return None
        return Promise(read_voucher(self.voucher).claims, self.voucher, self.ticks, self.tick)

    @property
    def due(self) -> int:
        """Units that were promised here and that the hub has not been told of."""
        return self.units - self.handed

    @property
    def agreed(self) -> Agreed:
        """What its vouchers sign along."""
        return Agreed(self.session, self.payee, self.asset, _digest(self.tariff))

    @property
    def alias(self) -> bytes:
        """Give the eight bytes by which its vouchers name it."""
        return session_alias(ids.number("ses", self.session))


METERS = Table("meters", Meter, "session")


def tariff_of(meter: Meter) -> Tariff:
    """Give the tariff that was agreed."""
    return _tariff(meter.tariff)


@lru_cache(maxsize=1024)
def _tariff(text: str) -> Tariff:
    return read_tariff(text)


@lru_cache(maxsize=1024)
def _digest(text: str) -> bytes:
    return _tariff(text).digest()


def opened(seen: SeenSession) -> Meter:
    """Begin to meter a session that the hub has shown.

    Shape: what the hub was promised before this meter began counts as used: who has lost the count
           must not serve it again.
    """
    used = affordable(_tariff(seen.tariff), seen.promised) if seen.promised else 0
    return Meter(
        session=seen.session,
        device=seen.device,
        payee=seen.payee,
        asset=seen.asset,
        key=seen.key,
        tariff=seen.tariff,
        purpose=seen.purpose,
        deposit=seen.deposit,
        ends_ns=seen.ends_ns,
        closes_ns=seen.closes_ns,
        units=seen.promised,
        sequence=seen.sequence,
        handed=seen.promised,
        count=max(0, used),
        stopped="session-closed" if seen.closed else "",
    )


def refreshed(meter: Meter, seen: SeenSession) -> Meter:
    """Take over what the hub says: the deposit, the end, and what was promised there."""
    changed = msgspec.structs.replace(
        meter,
        deposit=seen.deposit,
        ends_ns=seen.ends_ns,
        closes_ns=seen.closes_ns,
        stopped="session-closed" if seen.closed else meter.stopped,
    )
    return handed_in(changed, seen.promised)


def accept(meter: Meter, promise: Promise, now_ns: int) -> Meter:
    """Take a promise that was checked: the highest counts, an equal one is a yes.

    Raises: Conflict `session-closed`, `voucher-superseded`; PaymentRefused `session-over`,
            `voucher-expired`, `voucher-beyond-deposit`, or why the hub takes nothing new.
    """
    if meter.stopped == "session-closed":
        raise Conflict("session-closed", "this session is closed", **current(meter))
    units = promise.units
    if not is_ahead(promise, meter.units, meter.sequence):
        if units == meter.units:
            return meter if meter.voucher else _shown(meter, promise)
        detail = f"{meter.units} units were promised already"
        raise Conflict("voucher-superseded", detail, **current(meter))
    require_running(meter, now_ns)
    if now_ns >= promise.claims.expiry * NS:
        raise PaymentRefused("voucher-expired", "sign a new one", **current(meter))
    if units > meter.deposit:
        detail = f"the deposit is {meter.deposit} units; top it up"
        raise PaymentRefused("voucher-beyond-deposit", detail, **current(meter))
    sequence = max(meter.sequence, promise.claims.sequence)
    return _shown(msgspec.structs.replace(meter, units=units, sequence=sequence), promise)


def _shown(meter: Meter, promise: Promise) -> Meter:
    return msgspec.structs.replace(
        meter, voucher=promise.raw, ticks=promise.ticks, tick=promise.value
    )


def require_running(meter: Meter, now_ns: int) -> None:
    """Refuse to go on with a session whose time is over, or which was stopped.

    Raises: Conflict `session-closed`; PaymentRefused.
    """
    if meter.stopped == "session-closed":
        raise Conflict("session-closed", "this session is closed", **current(meter))
    if meter.stopped:
        raise PaymentRefused(meter.stopped, "the hub takes nothing new for it", **current(meter))
    if now_ns >= meter.ends_ns:
        raise PaymentRefused("session-over", "its time is over", **current(meter))


def owing(meter: Meter, more: int = 0) -> int:
    """Tell what is owed for all that was counted, and for `more` of it.

    Raises: Malformed `count-too-large`, `too-expensive`.
    """
    return owed(tariff_of(meter), meter.count + more)


def require_covered(meter: Meter, more: int, beyond: int = 0) -> None:
    """Refuse to give `more` than is promised, and at most `beyond` units past it.

    Raises: PaymentRefused `voucher-needed`, which says how much has to be promised in all.
    """
    needed = owing(meter, more)
    if needed > meter.units + beyond:
        detail = f"promise {needed} units in all; {meter.units} are promised"
        raise PaymentRefused("voucher-needed", detail, needed=str(needed), **current(meter))


def counted(meter: Meter, count: int, part: int = 0) -> Meter:
    """Count what was used, or take some of it back."""
    whole = (meter.count + count) * PARTS + meter.part + part
    ensure(whole >= 0, "no more is taken back than was counted")
    count, part = divmod(whole, PARTS)
    return msgspec.structs.replace(meter, count=count, part=part)


def set_aside(meter: Meter, count: int) -> Meter:
    """Give a meter as a crash has to find it: what is set aside counts as used."""
    return msgspec.structs.replace(meter, count=meter.count + count) if count else meter


def says_more(meter: Meter, written: Meter) -> bool:
    """Tell whether a meter has to be on disk before anything is served.

    Shape: where no more is counted than was `written`, and nothing else is new, a crash loses
           nothing of what somebody was told.
    """
    if (meter.count, meter.part) > (written.count, written.part):
        return True
    same = msgspec.structs.replace(written, count=meter.count, part=meter.part)
    return meter != same


def handed_in(meter: Meter, promised: int) -> Meter:
    """Note how much the hub knows to be promised; a payer may have told it more than us."""
    return msgspec.structs.replace(
        meter, handed=max(meter.handed, promised), units=max(meter.units, promised)
    )


def refused(meter: Meter, why: FarthingError) -> Meter:
    """Note what the hub has said against a voucher of ours."""
    if why.code == "voucher-superseded":
        return handed_in(meter, int(why.more.get("promised", meter.units)))
    if why.code in ("session-closed", *ENDINGS) and why.code != "voucher-expired":
        return msgspec.structs.replace(meter, stopped=why.code)
    return meter


def to_capture(meter: Meter) -> int:
    """Tell what to take at the end: what is owed, and never more than was promised."""
    return min(owing(meter), meter.units)


def current(meter: Meter) -> dict[str, Any]:
    """Give what a client needs to go on: the hub's members, and what was counted."""
    return {
        "session": meter.session,
        "state": "closed" if meter.stopped == "session-closed" else "open",
        "deposit": str(meter.deposit),
        "promised": str(meter.units),
        "sequence": str(meter.sequence),
        "count": str(meter.count),
        "owed": str(owing(meter)),
    }
