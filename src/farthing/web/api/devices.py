"""Devices: invited, enrolled, rotated, revoked, and put under a mandate."""

from functools import partial
from typing import Any

from farthing import ids
from farthing.clock import NS, write_time
from farthing.codec import from_base64url
from farthing.core.devices import (
    DEVICES,
    AssignMandate,
    Device,
    EnrolDevice,
    Invitation,
    InviteDevice,
    RevokeDevice,
    RotateKey,
    code_hash,
    enrolment_bytes,
    rotation_bytes,
)
from farthing.errors import Forbidden
from farthing.keys import check_public_key, verify
from farthing.store.lines import two_above_at
from farthing.store.queries import one
from farthing.web.api import answers, bodies, shapes
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.lists import PAGED, list_table, own_row
from farthing.web.api.owners import ANY, OWNER

STRANGERS = "strangers"
"""All who show codes wait in one line: whoever guesses them keeps no owner waiting."""

_CODE_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_CODE_BITS = 256
"""Far more than a code has: no letter comes up more often than others by more than 2^-170."""


def new_code(random_bits: ids.RandomBits) -> str:
    """Make an enrolment code: sixteen letters and digits that are not mistaken for each other."""
    number, letters = random_bits(_CODE_BITS), ""
    for _ in range(16):
        number, place = divmod(number, len(_CODE_LETTERS))
        letters += _CODE_LETTERS[place]
    return "-".join(letters[i : i + 4] for i in range(0, 16, 4))


async def invite(call: Call) -> Reply:
    """Make a one-time code with which a device enrols; the code is in this answer only."""
    body = call.body(bodies.InvitationBody)
    ctx = call.desk.ctx
    code = new_code(ctx.random_bits)
    invitation = Invitation(
        code_hash(code), ctx.fresh_name("inv"), "", body.account, body.mandate, body.name, 0, ""
    )
    two_above = await ctx.database.read(lambda tx: two_above_at(tx, body.account))
    unit = InviteDevice(invitation, call.asker.sees, body.seconds, two_above)
    return await call.once(unit, partial(_with_code, code), status=201, secret=True)


def _with_code(code: str, made: Invitation) -> dict[str, Any]:
    return {"id": made.id, "code": code, "expires": write_time(made.expires_ns // NS)}


async def enrol(call: Call) -> Reply:
    """Enrol a device: it shows the code, and signs with the key it wants to be known by."""
    body = call.body(bodies.EnrolBody)
    public = check_public_key(body.public_key)
    code = body.code.strip().upper()
    signature = from_base64url(body.signature)
    if not verify(public, signature, enrolment_bytes(body.code, public)):
        raise Forbidden("bad-signature", "sign farthing-enrol-1, the code and the public key")
    ctx = call.desk.ctx
    unit = EnrolDevice(ctx.fresh_name("dev"), code_hash(code), public)
    done = await ctx.books.commit_one(unit, STRANGERS)
    device = done.answer
    return Reply(
        {
            "device": device.id,
            "account": device.account,
            "mandate": device.mandate,
            "hub": ctx.identity.hub,
            "root_key": ctx.identity.root_public,
            "assets": {asset.code: asset.scale for asset in ctx.assets.values()},
        },
        201,
    )


async def rotate(call: Call) -> Reply:
    """Rotate a device's key: the old and the new key both sign."""
    body = call.body(bodies.RotateBody)
    ident, public = call.path["device"], check_public_key(body.public_key)
    device = await call.desk.ctx.database.read(lambda tx: one(tx, DEVICES, ident))
    message = rotation_bytes(ident, public)
    if not verify(public, from_base64url(body.signature_new), message):
        raise Forbidden("bad-signature", "the new key must sign its own rotation")
    old = _signer(device, from_base64url(body.signature_old), message, public)
    unit = RotateKey(ident, old, public, body.overlap_seconds)
    return await call.once(unit, shapes.show_device, who=ident)


def _signer(device: Device | None, signature: bytes, message: bytes, new: str) -> str:
    if device is None:
        raise Forbidden("bad-signature", "the device's newest key must sign the rotation")
    older = [key.public for key in device.keys if key.public != new]
    for public in older[:1]:
        if verify(public, signature, message):
            return public
    raise Forbidden("bad-signature", "the device's newest key must sign the rotation")


async def list_devices(call: Call) -> Reply:
    """List devices."""
    return await list_table(call, DEVICES, "dev", shapes.show_device)


async def show_device(call: Call) -> Reply:
    """Show a device."""
    return Reply(shapes.show_device(await own_row(call, DEVICES, call.path["device"], "device")))


async def revoke_device(call: Call) -> Reply:
    """Revoke a device, from the next commit on."""
    return await call.once(RevokeDevice(call.path["device"], call.asker.sees), shapes.show_device)


async def assign_mandate(call: Call) -> Reply:
    """Put a device under another mandate."""
    body = call.body(bodies.AssignBody)
    unit = AssignMandate(call.path["device"], body.mandate, call.asker.sees)
    return await call.once(unit, shapes.show_device)


ENDPOINTS = [
    Endpoint(
        "POST",
        "/v1/devices/invitations",
        "invite_device",
        "Make a one-time enrolment code",
        invite,
        scopes=OWNER,
        body=bodies.InvitationBody,
        status=201,
        answer=answers.InvitationAnswer,
    ),
    Endpoint(
        "POST",
        "/v1/devices/enrol",
        "enrol_device",
        "Enrol a device with a code",
        enrol,
        scopes=None,
        body=bodies.EnrolBody,
        status=201,
        answer=answers.EnrolmentAnswer,
        told_apart_by="the code, which is used up",
    ),
    Endpoint(
        "GET",
        "/v1/devices",
        "list_devices",
        "List devices",
        list_devices,
        scopes=ANY,
        query=PAGED,
        answer=answers.Page[answers.DeviceAnswer],
    ),
    Endpoint(
        "GET",
        "/v1/devices/{device}",
        "show_device",
        "Show a device",
        show_device,
        scopes=ANY,
        answer=answers.DeviceAnswer,
    ),
    Endpoint(
        "POST",
        "/v1/devices/{device}/rotate",
        "rotate_key",
        "Rotate a device's key",
        rotate,
        scopes=None,
        body=bodies.RotateBody,
        answer=answers.DeviceAnswer,
    ),
    Endpoint(
        "POST",
        "/v1/devices/{device}/revoke",
        "revoke_device",
        "Revoke a device",
        revoke_device,
        scopes=OWNER,
        answer=answers.DeviceAnswer,
    ),
    Endpoint(
        "PUT",
        "/v1/devices/{device}/mandate",
        "assign_mandate",
        "Put a device under a mandate",
        assign_mandate,
        scopes=OWNER,
        body=bodies.AssignBody,
        answer=answers.DeviceAnswer,
    ),
]
