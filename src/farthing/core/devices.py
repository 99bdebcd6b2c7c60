"""Devices: enrolled with a one-time code, known by public keys, rotated and revoked."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from farthing.clock import NS
from farthing.core.accounts import require_account
from farthing.core.decisions import Outcome, View
from farthing.core.events import Fact, Kind
from farthing.core.facts import body_of, state_change
from farthing.core.lines import loosens, need_two_people
from farthing.core.mandates import MANDATES
from farthing.core.records import Read, Table, Write
from farthing.errors import Conflict, Forbidden, Missing

KEYS_MAX = 8
OVERLAP_SECONDS_MAX = 7 * 86400


class DeviceKey(msgspec.Struct, frozen=True):
    """A public key and when it may sign new orders. Units: ns; `until_ns` 0 is for good."""

    public: str
    from_ns: int
    until_ns: int = 0

    def signs_at(self, now_ns: int) -> bool:
        """Tell whether a new order may be signed with this key now."""
        return self.from_ns <= now_ns and (self.until_ns == 0 or now_ns < self.until_ns)


class Device(msgspec.Struct, frozen=True):
    """A machine that pays from an account under a mandate. Shape: `keys` newest first."""

    id: str
    owner: str
    account: str
    mandate: str
    name: str
    keys: list[DeviceKey]
    created_ns: int
    revoked_ns: int


class Invitation(msgspec.Struct, frozen=True):
    """A one-time code to enrol a device; only its hash is kept. Units: ns."""

    hash: bytes
    id: str
    owner: str
    account: str
    mandate: str
    name: str
    expires_ns: int
    device: str


DEVICES = Table("devices", Device, "id", free=("name",))
INVITATIONS = Table("invitations", Invitation, "hash", free=("name",))


def code_hash(code: str) -> bytes:
    """Hash an enrolment code."""
    return hashlib.sha256(b"farthing-enrolment-code-1\n" + code.encode()).digest()


def enrolment_bytes(code: str, public: str) -> bytes:
    """Give the bytes a device signs to show that it holds the key it enrols."""
    return f"farthing-enrol-1\n{code}\n{public}".encode()


def rotation_bytes(device: str, public: str) -> bytes:
    """Give the bytes that the old and the new key sign when a key is rotated."""
    return f"farthing-rotate-1\n{device}\n{public}".encode()


@dataclass(frozen=True, slots=True)
class InviteDevice:
    """Make a one-time code for a device that will spend from `account` under `mandate`.

    Shape: it lasts for `seconds` of the books' time, which a clock that was ahead for a while has
           left behind; without them until the invitation's own end. `two_above` is the lowest line
           of the devices that the account has had: a further one is under it as well.
    """

    invitation: Invitation
    by: str | None
    seconds: int | None = None
    two_above: int | None = None
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Invitation]:
        """Check that account and mandate belong together."""
        wanted = self.invitation
        account = require_account(view, wanted.account, self.by)
        mandate = view.get(MANDATES, wanted.mandate)
        if mandate is None or mandate.owner != account.owner:
            raise Missing("no-such-mandate", "there is no such mandate here")
        if mandate.asset != account.asset:
            raise Conflict("asset-mismatch", f"the mandate is in {mandate.asset}")
        if mandate.revoked_ns:
            raise Conflict("mandate-revoked", "this mandate is revoked; make a new one")
        if loosens(self.two_above, mandate.two_above):
            raise need_two_people()
        ends = wanted.expires_ns if self.seconds is None else view.now_ns + self.seconds * NS
        kept = msgspec.structs.replace(wanted, owner=account.owner, expires_ns=ends)
        fact = Fact(account.owner, Kind.DEVICE_INVITED, wanted.id, body_of(account=account.id))
        return state_change(view, kept, [fact], [Write(INVITATIONS, kept)])


@dataclass(frozen=True, slots=True)
class EnrolDevice:
    """Take up an invitation with a key whose possession has been shown."""

    id: str
    code: bytes
    public: str
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Device]:
        """Use the code once; the same key asking again gets the same device."""
        invitation = view.get(INVITATIONS, self.code)
        if invitation is None:
            raise Forbidden("bad-code", "this code is unknown; ask the owner for a new one")
        if invitation.device:
            device = view.get(DEVICES, invitation.device)
            if device is not None and device.keys[-1].public == self.public:
                return Outcome(device)  # The first answer was lost on its way.
            raise Forbidden("code-used", "this code was used; ask the owner for a new one")
        if view.now_ns >= invitation.expires_ns:
            raise Forbidden("code-expired", "this code has expired; ask the owner for a new one")
        device = Device(
            self.id,
            invitation.owner,
            invitation.account,
            invitation.mandate,
            invitation.name,
            [DeviceKey(self.public, view.now_ns)],
            view.now_ns,
            0,
        )
        used = msgspec.structs.replace(invitation, device=self.id)
        fact = Fact(device.owner, Kind.DEVICE_ENROLLED, self.id, body_of(key=self.public))
        writes = [Write(DEVICES, device), Write(INVITATIONS, used)]
        return state_change(view, device, [fact], writes)


def require_device(view: View, ident: str, owner: str | None) -> Device:
    """Get a device that this owner may act on.

    Raises: Missing.
    """
    device = view.get(DEVICES, ident)
    if device is None or owner not in (None, device.owner):
        raise Missing("no-such-device", "there is no such device here")
    return device


@dataclass(frozen=True, slots=True)
class RotateKey:
    """Put a new key before the old one, which signs for `overlap_seconds` longer."""

    device: str
    old: str
    public: str
    overlap_seconds: int
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Device]:
        """Rotate, if the old key may still sign; again with the same key is no harm."""
        device = require_device(view, self.device, None)
        if device.keys[0].public == self.public:
            return Outcome(device)
        if device.revoked_ns:
            raise Forbidden("device-revoked", "the owner has revoked this device")
        current = device.keys[0]
        if current.public != self.old:
            raise Forbidden("not-the-newest-key", "only the newest key may name its successor")
        if any(key.public == self.public for key in device.keys):
            raise Conflict("key-used", "this key was the device's before; make a new one")
        if len(device.keys) >= KEYS_MAX and device.keys[-2].signs_at(view.now_ns):
            raise Conflict("too-many-keys", "wait until an older key has run out")
        until = view.now_ns + self.overlap_seconds * NS
        older = [msgspec.structs.replace(current, until_ns=until), *device.keys[1:]]
        kept = [DeviceKey(self.public, view.now_ns), *older[: KEYS_MAX - 1]]
        after = msgspec.structs.replace(device, keys=kept)
        fact = Fact(device.owner, Kind.DEVICE_ROTATED, device.id, body_of(key=self.public))
        return state_change(view, after, [fact], [Write(DEVICES, after)])


@dataclass(frozen=True, slots=True)
class RevokeDevice:
    """End a device: no new order of its, from the next commit on."""

    device: str
    owner: str | None
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Device]:
        """Revoke it; again is no harm."""
        device = require_device(view, self.device, self.owner)
        if device.revoked_ns:
            return Outcome(device)
        after = msgspec.structs.replace(device, revoked_ns=view.now_ns)
        fact = Fact(device.owner, Kind.DEVICE_REVOKED, device.id, {})
        return state_change(view, after, [fact], [Write(DEVICES, after)])


@dataclass(frozen=True, slots=True)
class AssignMandate:
    """Put a device under another mandate of the same owner and asset."""

    device: str
    mandate: str
    owner: str | None
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Device]:
        """Change it from the next payment on."""
        device = require_device(view, self.device, self.owner)
        mandate = view.get(MANDATES, self.mandate)
        if mandate is None or mandate.owner != device.owner:
            raise Missing("no-such-mandate", "there is no such mandate here")
        if mandate.asset != require_account(view, device.account, None).asset:
            raise Conflict("asset-mismatch", f"the mandate is in {mandate.asset}")
        before = view.get(MANDATES, device.mandate)
        if before is not None and loosens(before.two_above, mandate.two_above):
            raise need_two_people()
        after = msgspec.structs.replace(device, mandate=self.mandate)
        body = body_of(device=device.id)
        fact = Fact(device.owner, Kind.MANDATE_SET, self.mandate, body)
        return state_change(view, after, [fact], [Write(DEVICES, after)])
