"""Mandates, devices and offers: who may spend, how much, and what is for sale."""

import secrets
from typing import Any

from farthing import ids
from farthing.clock import NS, parse_time, write_time
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
from farthing.core.mandates import MANDATES, Budget, Mandate, RevokeMandate, SetMandate
from farthing.core.offers import OFFERS, OfferRecord, SetOffer, WithdrawOffer
from farthing.core.owners import OWNERS, Scope
from farthing.core.periods import ZoneChange, check_hours, check_per, check_zone
from farthing.core.prices import METHODS, BadPrice, parse_pattern
from farthing.errors import Forbidden, Malformed, Missing
from farthing.keys import check_public_key, verify
from farthing.money import UNITS_MAX, parse_units
from farthing.store.queries import one
from farthing.web.api import wire
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.lists import PAGED, list_table
from farthing.web.api.owners import ANY, OWNER, acting_owner

_CODE_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
SELLING = (Scope.OWNER, Scope.SELLER)


async def set_mandate(call: Call) -> Reply:
    """Make a mandate."""
    body = call.body(wire.MandateBody)
    owner = await acting_owner(call, body.owner)
    wanted = await _mandate(call, body, call.desk.ctx.fresh_name("man"), owner)
    unit = SetMandate(wanted, call.asker.sees, call.desk.ctx.fresh(), creates=True)
    return await call.once(unit, wire.show_mandate, status=201)


async def change_mandate(call: Call) -> Reply:
    """Set a mandate anew, whole; what was spent this period still counts."""
    body = call.body(wire.MandateBody)
    before = await _own(call, MANDATES, call.path["mandate"], "mandate")
    wanted = await _mandate(call, body, before.id, before.owner)
    unit = SetMandate(wanted, call.asker.sees, call.desk.ctx.fresh(), creates=False)
    return await call.once(unit, wire.show_mandate)


async def _mandate(call: Call, body: wire.MandateBody, ident: str, owner: str) -> Mandate:
    names = [budget.name for budget in body.budgets]
    if len(set(names)) != len(names) or "" in names:
        raise Malformed("budget-names", "each budget needs a name of its own")
    zone = body.time_zone
    if zone is None:
        record = await call.desk.ctx.database.read(lambda tx: one(tx, OWNERS, owner))
        zone = record.time_zone if record is not None else "UTC"
    return Mandate(
        id=ident,
        owner=owner,
        asset=body.asset,
        name=body.name,
        largest=UNITS_MAX if body.largest is None else parse_units(body.largest),
        budgets=[
            Budget(
                name=budget.name,
                per=check_per(budget.per),
                limit=parse_units(budget.limit),
                payees=budget.payees,
                categories=budget.categories,
            )
            for budget in body.budgets
        ],
        payees=body.payees,
        categories=body.categories,
        hours=[check_hours(span) for span in body.hours],
        zones=[ZoneChange(0, check_zone(zone))],
        expires=0 if body.expires is None else parse_time(body.expires),
        ask_above=None if body.ask_above is None else parse_units(body.ask_above),
        ask_seconds=body.ask_seconds,
        on_timeout=body.on_timeout,
    )


async def list_mandates(call: Call) -> Reply:
    """List mandates."""
    return await list_table(call, MANDATES, "man", wire.show_mandate)


async def show_mandate(call: Call) -> Reply:
    """Show a mandate."""
    return Reply(wire.show_mandate(await _own(call, MANDATES, call.path["mandate"], "mandate")))


async def _own(call: Call, table: Any, ident: str, noun: str) -> Any:
    row = await call.desk.ctx.database.read(lambda tx: one(tx, table, ident))
    if row is None or call.asker.sees not in (None, row.owner):
        raise Missing(f"no-such-{noun}", f"there is no such {noun} here")
    return row


async def revoke_mandate(call: Call) -> Reply:
    """Revoke a mandate, from the next commit on."""
    unit = RevokeMandate(call.path["mandate"], call.asker.sees)
    return await call.once(unit, wire.show_mandate)


async def invite(call: Call) -> Reply:
    """Make a one-time code with which a device enrols; the code is in this answer only."""
    body = call.body(wire.InvitationBody)
    ctx = call.desk.ctx
    letters = "".join(secrets.choice(_CODE_LETTERS) for _ in range(16))
    code = "-".join(letters[i : i + 4] for i in range(0, 16, 4))
    ends = ctx.clock() + body.seconds * NS
    invitation = Invitation(
        code_hash(code), ctx.fresh_name("inv"), "", body.account, body.mandate, body.name, ends, ""
    )

    def render(made: Invitation) -> dict[str, Any]:
        return {"id": made.id, "code": code, "expires": write_time(made.expires_ns // NS)}

    unit = InviteDevice(invitation, call.asker.sees)
    return await call.once(unit, render, status=201, secret=True)


async def enrol(call: Call) -> Reply:
    """Enrol a device: it shows the code, and signs with the key it wants to be known by."""
    body = call.body(wire.EnrolBody)
    public = check_public_key(body.public_key)
    code = body.code.strip().upper()
    signature = from_base64url(body.signature)
    if not verify(public, signature, enrolment_bytes(body.code, public)):
        raise Forbidden("bad-signature", "sign farthing-enrol-1, the code and the public key")
    ctx = call.desk.ctx
    unit = EnrolDevice(ctx.fresh_name("dev"), code_hash(code), public)
    done = await ctx.books.commit_one(unit)
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
    body = call.body(wire.RotateBody)
    ident, public = call.path["device"], check_public_key(body.public_key)
    device = await call.desk.ctx.database.read(lambda tx: one(tx, DEVICES, ident))
    message = rotation_bytes(ident, public)
    if not verify(public, from_base64url(body.signature_new), message):
        raise Forbidden("bad-signature", "the new key must sign its own rotation")
    old = _signer(device, from_base64url(body.signature_old), message, public)
    unit = RotateKey(ident, old, public, body.overlap_seconds)
    return await call.once(unit, wire.show_device, who=ident)


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
    return await list_table(call, DEVICES, "dev", wire.show_device)


async def show_device(call: Call) -> Reply:
    """Show a device."""
    return Reply(wire.show_device(await _own(call, DEVICES, call.path["device"], "device")))


async def revoke_device(call: Call) -> Reply:
    """Revoke a device, from the next commit on."""
    return await call.once(RevokeDevice(call.path["device"], call.asker.sees), wire.show_device)


async def assign_mandate(call: Call) -> Reply:
    """Put a device under another mandate."""
    body = call.body(wire.AssignBody)
    unit = AssignMandate(call.path["device"], body.mandate, call.asker.sees)
    return await call.once(unit, wire.show_device)


async def set_offer(call: Call) -> Reply:
    """Put up an offer."""
    body = call.body(wire.OfferBody)
    wanted = _offer(body, call.desk.ctx.fresh_name("off"))
    return await call.once(SetOffer(wanted, call.asker.sees, True), wire.show_offer, status=201)


async def change_offer(call: Call) -> Reply:
    """Set an offer anew, whole."""
    wanted = _offer(call.body(wire.OfferBody), call.path["offer"])
    return await call.once(SetOffer(wanted, call.asker.sees, False), wire.show_offer)


def _offer(body: wire.OfferBody, ident: str) -> OfferRecord:
    ids.number("off", ident)
    amount = parse_units(body.amount)
    if amount == 0:
        raise Malformed("nothing-to-pay", "an offer asks for at least one unit")
    if body.method.upper() not in METHODS:
        raise Malformed("invalid-method", f"methods are {', '.join(sorted(METHODS))}")
    try:
        parse_pattern(body.path)
    except BadPrice as fault:
        raise Malformed("invalid-path", fault.detail) from None
    return OfferRecord(
        id=ident,
        owner="",
        payee=body.payee,
        method=body.method.upper(),
        path=body.path,
        asset=body.asset,
        amount=amount,
        description=body.description,
        category=body.category,
        valid_from=0 if body.valid_from is None else parse_time(body.valid_from),
        valid_until=0 if body.valid_until is None else parse_time(body.valid_until),
        free_for=body.free_for,
    )


async def list_offers(call: Call) -> Reply:
    """List offers."""
    return await list_table(call, OFFERS, "off", wire.show_offer)


async def withdraw_offer(call: Call) -> Reply:
    """Withdraw an offer."""
    return await call.once(WithdrawOffer(call.path["offer"], call.asker.sees), wire.show_offer)


ENDPOINTS = [
    Endpoint(
        "POST", "/v1/mandates", "set_mandate", "Make a mandate", set_mandate,
        scopes=OWNER, body=wire.MandateBody, status=201,
    ),
    Endpoint(
        "GET", "/v1/mandates", "list_mandates", "List mandates", list_mandates,
        scopes=ANY, query=PAGED,
    ),
    Endpoint(
        "GET", "/v1/mandates/{mandate}", "show_mandate", "Show a mandate", show_mandate, scopes=ANY,
    ),
    Endpoint(
        "PUT", "/v1/mandates/{mandate}", "change_mandate", "Set a mandate anew", change_mandate,
        scopes=OWNER, body=wire.MandateBody,
    ),
    Endpoint(
        "POST", "/v1/mandates/{mandate}/revoke", "revoke_mandate", "Revoke a mandate",
        revoke_mandate, scopes=OWNER,
    ),
    Endpoint(
        "POST", "/v1/devices/invitations", "invite_device", "Make a one-time enrolment code",
        invite, scopes=OWNER, body=wire.InvitationBody, status=201,
    ),
    Endpoint(
        "POST", "/v1/devices/enrol", "enrol_device", "Enrol a device with a code", enrol,
        scopes=None, body=wire.EnrolBody, status=201,
    ),
    Endpoint(
        "GET", "/v1/devices", "list_devices", "List devices", list_devices, scopes=ANY, query=PAGED,
    ),
    Endpoint(
        "GET", "/v1/devices/{device}", "show_device", "Show a device", show_device, scopes=ANY,
    ),
    Endpoint(
        "POST", "/v1/devices/{device}/rotate", "rotate_key", "Rotate a device's key", rotate,
        scopes=None, body=wire.RotateBody,
    ),
    Endpoint(
        "POST", "/v1/devices/{device}/revoke", "revoke_device", "Revoke a device", revoke_device,
        scopes=OWNER,
    ),
    Endpoint(
        "PUT", "/v1/devices/{device}/mandate", "assign_mandate", "Put a device under a mandate",
        assign_mandate, scopes=OWNER, body=wire.AssignBody,
    ),
    Endpoint(
        "POST", "/v1/offers", "set_offer", "Put up an offer", set_offer,
        scopes=SELLING, body=wire.OfferBody, status=201,
    ),
    Endpoint(
        "GET", "/v1/offers", "list_offers", "List offers", list_offers, scopes=ANY, query=PAGED,
    ),
    Endpoint(
        "PUT", "/v1/offers/{offer}", "change_offer", "Set an offer anew", change_offer,
        scopes=SELLING, body=wire.OfferBody,
    ),
    Endpoint(
        "POST", "/v1/offers/{offer}/withdraw", "withdraw_offer", "Withdraw an offer",
        withdraw_offer, scopes=SELLING,
    ),
]  # fmt: skip
