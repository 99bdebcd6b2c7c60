"""How a story's people come into being: owners, accounts, mandates, devices; before any fault."""

import json
from random import Random
from typing import Any

from farthing.codec import to_base64url
from farthing.core.devices import enrolment_bytes
from farthing.keys import Ed25519Signer
from simulation.buyers import Device
from simulation.hubs import HubMachine
from simulation.town import Town
from simulation.wire import Request


async def made(town: Town, hub: HubMachine, path: str, body: Any = None) -> dict[str, Any]:
    """Have the operator make something, and give what was made."""
    raw = json.dumps(body).encode() if body is not None else b""
    request = Request("POST", path, raw, operator=True)
    answer = await town.network.ask(hub, request, "operator")
    if answer is None or answer.status not in (200, 201):
        raise RuntimeError(f"{path}: {answer}")
    return answer.told


async def owner(town: Town, hub: HubMachine, name: str) -> str:
    """Make an owner."""
    return (await made(town, hub, "/v1/owners", {"name": name}))["id"]


async def account(town: Town, hub: HubMachine, of: str, units: int = 0) -> str:
    """Open an account, with so much test money in it."""
    opened = await made(town, hub, "/v1/accounts", {"asset": "USD", "owner": of})
    if units:
        credit = {"account": opened["id"], "units": str(units), "asset": "USD"}
        await made(town, hub, "/v1/credits", credit)
        town.history.note(town.loop.time(), "credited", account=opened["id"], units=units)
    return opened["id"]


async def mandate(town: Town, hub: HubMachine, of: str, **terms: Any) -> str:
    """Set a mandate."""
    return (await made(town, hub, "/v1/mandates", {"asset": "USD", "owner": of, **terms}))["id"]


async def device(town: Town, hub: HubMachine, purse: str, permitted: str, luck: Random) -> Device:
    """Enrol a device with a new key."""
    wanted = {"account": purse, "mandate": permitted, "name": "machine"}
    invited = await made(town, hub, "/v1/devices/invitations", wanted)
    signer = Ed25519Signer(luck.randbytes(32))
    code = invited["code"]
    message = enrolment_bytes(code, signer.public)
    body = {
        "code": code,
        "public_key": signer.public,
        "signature": to_base64url(signer.sign(message)),
    }
    enrolled = await made(town, hub, "/v1/devices/enrol", body)
    return Device(enrolled["device"], purse, signer)
