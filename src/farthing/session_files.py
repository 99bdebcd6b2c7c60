"""A device's sessions on disk: each counter is raised there, durably, before a voucher is signed.

A session's id follows from its opening order, so its file is there before the order is sent: a
device that dies in between finds it and sends the same order again, and its deposit is held once.
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from farthing.bounded import read_file
from farthing.codec import from_base64url, to_base64url
from farthing.core.ladders import Climber, KeptLadder, new_ladder
from farthing.core.ticks import VALUE_BYTES, Tick, write_tick
from farthing.core.vouchers import Agreed, Claims, session_alias, sign_voucher
from farthing.errors import Conflict, Malformed, Missing, PaymentRefused, present
from farthing.folders import private_folder
from farthing.ids import number as id_number
from farthing.keys import Signer
from farthing.money import UNITS_MAX, MalformedAmount

_Count = Annotated[int, msgspec.Meta(ge=0, le=UNITS_MAX)]


class Kept(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What a device keeps of one of its sessions.

    Units: `deposit` and `promised` count smallest units; `ends` is whole Unix seconds.
    Shape: `opening` is the body that opens it, until the hub has answered; `tariff` is the hash
           in base64url; `ladder` is what it goes on by, if its newest voucher has one.
    """

    session: str
    payee: str
    asset: str
    tariff: str
    deposit: _Count
    ends: _Count
    promised: _Count = 0
    sequence: _Count = 0
    opening: str = ""
    purpose: str = ""
    ladder: KeptLadder | None = None

    @property
    def agreed(self) -> Agreed:
        """What its vouchers sign along."""
        return Agreed(self.session, self.payee, self.asset, from_base64url(self.tariff))

    @property
    def alias(self) -> bytes:
        """By which eight bytes its payee knows it."""
        return session_alias(id_number("ses", self.session))


class Shown(NamedTuple):
    """What a device shows for all it has promised.

    Shape: `tick` is of the voucher's ladder: empty where it has none, or none was climbed.
    """

    voucher: bytes
    tick: bytes = b""


def _require_counts(*counts: int) -> None:
    """Refuse what is no count: a counter that went down would be signed twice."""
    if not all(0 <= count <= UNITS_MAX for count in counts):
        raise MalformedAmount("what a session counts is from 0 to 9223372036854775807")


class SessionFiles:
    """A folder with one file for each session; a file in use is locked, by the kernel."""

    def __init__(self, path: Path, fresh: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._path, self._fresh = path, fresh
        self._climbers: dict[str, tuple[KeptLadder, Climber]] = {}
        private_folder(path)

    def keep(self, kept: Kept) -> None:
        """Write a session's file: it and its name are on disk when this returns.

        Raises: Malformed `malformed-amount` for what could not be read back.
        """
        _require_counts(kept.deposit, kept.ends, kept.promised, kept.sequence)
        path = self._file(kept.session)
        draft = path.with_suffix(".draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(kept))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        self._sync()

    def begin(self, opened: Kept) -> Kept:
        """Keep a session that the hub has opened, unless it was begun: its counters stay."""
        with self._locked(opened.session):
            with contextlib.suppress(Missing):
                before = self.read(opened.session)
                if not before.opening:
                    return before
            self.keep(opened)
            return opened

    def read(self, session: str) -> Kept:
        """Read one.

        Raises: Missing `no-such-session`; Malformed `malformed-session-file`.
        """
        path = self._file(session)
        try:
            kept = msgspec.json.decode(read_file(path), type=Kept)
        except FileNotFoundError:
            raise Missing("no-such-session", "this device has no such session") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise _damaged(path) from None
        if kept.ladder is not None and not kept.ladder.is_sound(kept.promised):
            raise _damaged(path)
        return kept

    def all(self) -> list[Kept]:
        """Read all of them, oldest first."""
        found: list[Kept] = []
        for path in sorted(self._path.glob("ses_*.json")):
            with contextlib.suppress(Missing):  # Another program has forgotten it meanwhile.
                found.append(self.read(path.stem))
        return found

    def forget(self, session: str) -> None:
        """Remove a session that is over."""
        with self._locked(session):
            self._forget(session)

    def change(self, session: str, how: Callable[[Kept], Kept | None]) -> Kept | None:
        """Keep what `how` makes of a session as it stands; None forgets it.

        Raises: Missing; Malformed `malformed-amount`.
        """
        with self._locked(session):
            before = self.read(session)
            after = how(before)
            if after is None:
                self._forget(session)
            elif after != before:
                self.keep(after)
            return after

    @contextlib.contextmanager
    def alone(self) -> Generator[None]:
        """Keep everybody else waiting who asks to be alone in this folder."""
        with _locked(self._path / "folder.lock"):
            yield

    def _forget(self, session: str) -> None:
        self._file(session).unlink(missing_ok=True)
        self._climbers.pop(session, None)
        self._sync()

    def add(self, session: str, deposit: int) -> Kept:
        """Raise a session's deposit, after the hub held more for it.

        Raises: Malformed `malformed-amount`.
        """
        _require_counts(deposit)
        with self._locked(session):
            before = self.read(session)
            after = msgspec.structs.replace(before, deposit=before.deposit + deposit)
            self.keep(after)
            return after

    def promise(self, session: str, units: int, signer: Signer) -> bytes:
        """Promise `units` in all: raise the counter on disk, then sign.

        Shape:  what was promised before, or less, is not signed again under a new number.
        Raises: Conflict `voucher-superseded`; PaymentRefused `voucher-beyond-deposit`; Missing;
                Malformed `malformed-amount`.
        """
        _require_counts(units)
        with self._locked(session):
            before = self.read(session)
            if units <= before.promised:
                detail = f"{before.promised} units were promised already"
                raise Conflict("voucher-superseded", detail, promised=str(before.promised))
            if units > before.deposit:
                detail = f"the deposit is {before.deposit} units; top it up"
                raise PaymentRefused("voucher-beyond-deposit", detail)
            after = msgspec.structs.replace(
                before, promised=units, sequence=before.sequence + 1, ladder=None
            )
            self.keep(after)
        return sign_voucher(signer, after.agreed, claims_of(after))

    def climb(self, session: str, units: int, each: int, signer: Signer) -> Shown:
        """Promise at least `units` in all by ticks of `each`: the counter is raised on disk first.

        Shape:  a voucher is signed where no ladder goes on so far, for a new one with a seed of its
                own: so no value of a ladder is ever worth more than when it was first shown.
        Raises: as `promise` does; nothing is promised beyond the deposit, not a part of a tick.
        """
        _require_counts(units, each - 1)
        with self._locked(session):
            before = self.read(session)
            if units <= before.promised:
                detail = f"{before.promised} units were promised already"
                raise Conflict("voucher-superseded", detail, promised=str(before.promised))
            units = before.promised - (before.promised - units) // each * each
            if units > before.deposit:
                detail = f"the deposit is {before.deposit} units; top it up"
                raise PaymentRefused("voucher-beyond-deposit", detail)
            if before.ladder is None or not before.ladder.reaches(units, each):
                before = self._begin_ladder(before, units, each)
            after = msgspec.structs.replace(before, promised=units)
            self.keep(after)
            return self._show(after, signer)

    def shown(self, session: str, signer: Signer) -> Shown:
        """Give once more what was promised last, by voucher or by tick.

        Raises: Missing where nothing was promised.
        """
        with self._locked(session):
            kept = self.read(session)
            if kept.ladder is not None and kept.promised:
                return self._show(kept, signer)
        return Shown(self.promised(session, signer))

    def _begin_ladder(self, kept: Kept, units: int, each: int) -> Kept:
        seed = to_base64url(self._fresh(VALUE_BYTES))
        ladder = new_ladder(seed, kept.promised, units, each, kept.deposit)
        return msgspec.structs.replace(
            kept, promised=ladder.base, sequence=kept.sequence + 1, ladder=ladder
        )

    def _show(self, kept: Kept, signer: Signer) -> Shown:
        """Give a ladder's voucher and its tick; the voucher is signed once, and kept.

        Shape: the file is locked, so no other thread turns the same climber.
        """
        ladder = present(kept.ladder, "there is a ladder to show")
        climber = self._climber(kept, ladder)
        ticks = ladder.ticks_at(kept.promised)
        raw = from_base64url(ladder.voucher)
        if not raw:
            claims = Claims(
                kept.alias, ladder.base, kept.sequence, kept.ends, climber.ladder(ladder.each)
            )
            raw = sign_voucher(signer, kept.agreed, claims)
            signed = msgspec.structs.replace(ladder, voucher=to_base64url(raw))
            self.keep(msgspec.structs.replace(kept, ladder=signed))
        tick = write_tick(Tick(kept.alias, *climber.rung(ticks))) if ticks else b""
        return Shown(raw, tick)

    def _climber(self, kept: Kept, ladder: KeptLadder) -> Climber:
        """Give who makes a ladder's values; the marks between are hashed once a process."""
        of, climber = self._climbers.get(kept.session, (None, None))
        if climber is None or of is None or (of.seed, of.most) != (ladder.seed, ladder.most):
            climber = Climber(kept.alias, from_base64url(ladder.seed), ladder.most)
            self._climbers[kept.session] = ladder, climber
        return climber

    def number(self, session: str, units: int, signer: Signer) -> bytes:
        """Sign a voucher with a number of its own, for at least `units` in all.

        Shape:  for sellers that take each voucher for one request (x402).
        Raises: PaymentRefused `voucher-beyond-deposit`; Missing; Malformed `malformed-amount`.
        """
        _require_counts(units)
        with self._locked(session):
            before = self.read(session)
            if units > before.deposit:
                detail = f"the deposit is {before.deposit} units; top it up"
                raise PaymentRefused("voucher-beyond-deposit", detail)
            after = msgspec.structs.replace(
                before,
                promised=max(before.promised, units),
                sequence=before.sequence + 1,
                ladder=None,
            )
            self.keep(after)
        return sign_voucher(signer, after.agreed, claims_of(after))

    def promised(self, session: str, signer: Signer) -> bytes:
        """Sign once more what was promised last: an equal voucher does no harm.

        Raises: Missing where nothing was promised.
        """
        kept = self.read(session)
        if not kept.promised:
            raise Missing("no-such-session", "nothing was promised in this session yet")
        return sign_voucher(signer, kept.agreed, claims_of(kept))

    def _locked(self, session: str) -> contextlib.AbstractContextManager[None]:
        return _locked(self._file(session).with_suffix(".lock"))

    def _file(self, session: str) -> Path:
        id_number("ses", session)  # So that no name leads out of the folder.
        return self._path / f"{session}.json"

    def _sync(self) -> None:
        descriptor = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _locked(path: Path) -> Generator[None]:
    """Hold the lock of this name; the kernel lets go of it whatever becomes of us."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _damaged(path: Path) -> Malformed:
    detail = f"{path} is damaged; ask the hub how the session stands, then open another one"
    return Malformed("malformed-session-file", detail)


def claims_of(kept: Kept) -> Claims:
    """Give the claims of a session's newest voucher, good until the session ends."""
    return Claims(kept.alias, kept.promised, kept.sequence, kept.ends)
