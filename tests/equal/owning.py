"""What owners do: they make accounts, mandates, devices and offers, and change and end them."""

from typing import Any

from farthing.clock import write_time
from farthing.codec import to_base64url
from farthing.core.devices import enrolment_bytes, rotation_bytes
from farthing.settings import FeeSettings
from tests.equal.crowd import Crowd, Device, Owner

FUNDS = 4_000


async def settle(crowd: Crowd) -> None:
    """Let there be some owners, and what they need to begin with."""
    for n in range(3):
        made = await crowd.local("POST", "/v1/owners", {"name": f"owner {n}"})
        owner = Owner(made["id"])
        crowd.owners.append(owner)
        for scope in ("owner", "seller", "read"):
            wanted = {"scopes": [scope], "owner": owner.id}
            owner.keys[scope] = (await crowd.local("POST", "/v1/keys", wanted))["secret"]
        for _ in range(2):
            await _account(crowd, owner)
        for account in owner.accounts:
            credit = {"account": account, "units": str(FUNDS), "asset": "USD"}
            await crowd.local("POST", "/v1/credits", credit)
        await make_mandate(crowd, owner)
    while len(crowd.devices) < 3:
        await enrol(crowd)


async def _account(crowd: Crowd, owner: Owner) -> None:
    wanted = {"asset": "USD", "name": "purse", "owner": owner.id}
    owner.accounts.append((await crowd.local("POST", "/v1/accounts", wanted))["id"])


async def make_owner(crowd: Crowd) -> None:
    """Make another owner, with a key and an account, in any time zone."""
    zone = crowd.luck.choice(["UTC", "Europe/Berlin", "Pacific/Auckland", "America/New_York"])
    made = await crowd.local("POST", "/v1/owners", {"name": "more", "time_zone": zone})
    owner = Owner(made["id"])
    for scope in ("owner", "seller", "read"):
        wanted = {"scopes": [scope], "owner": owner.id}
        owner.keys[scope] = (await crowd.local("POST", "/v1/keys", wanted))["secret"]
    await _account(crowd, owner)
    crowd.owners.append(owner)
    await make_mandate(crowd, owner)


async def open_account(crowd: Crowd) -> None:
    """Open an account as its owner."""
    owner = crowd.luck.choice(crowd.owners)
    asset = "EUR" if crowd.chance(0.1) else "USD"
    made = await crowd.ask("POST", "/v1/accounts", {"asset": asset}, by=owner.keys["owner"])
    if made is not None and made["owner"] == owner.id and made["id"] not in owner.accounts:
        owner.accounts.append(made["id"])


async def credit(crowd: Crowd) -> None:
    """Put money in."""
    body = {"account": crowd.luck.choice(crowd.accounts), "units": str(crowd.units(500))}
    asset = "EUR" if crowd.chance(0.05) else "USD"
    by = crowd.luck.choice(crowd.owners).keys["owner"]
    if crowd.chance(0.9):
        answer = {"asset": asset} | body
        await crowd.send_local("POST", "/v1/credits", answer)
    else:
        await crowd.ask("POST", "/v1/credits", body | {"asset": asset}, by=by)


async def account_state(crowd: Crowd) -> None:
    """Freeze, unfreeze or close an account."""
    account = crowd.luck.choice(crowd.accounts)
    verb = crowd.luck.choice(["freeze", "unfreeze", "unfreeze", "unfreeze", "close"])
    path = f"/v1/accounts/{account}/{verb}"
    if crowd.chance(0.3):
        await crowd.send_local("POST", path, None)
    else:
        await crowd.ask("POST", path, by=crowd.owner_of(account).keys["owner"])


def _mandate(crowd: Crowd) -> dict[str, Any]:
    luck = crowd.luck
    terms: dict[str, Any] = {"asset": "USD", "time_zone": luck.choice(["UTC", "Europe/Berlin"])}
    if crowd.chance(0.7):
        terms["largest"] = str(luck.choice([20, 60, 300]))
    pers = luck.sample(["day", "week", "month", "1h", "15m"], luck.randint(0, 3))
    terms["budgets"] = [
        {"name": per, "per": per, "limit": str(luck.choice([100, 400, 3000]))}
        | ({"categories": ["tea"]} if crowd.chance(0.2) else {})
        for per in pers
    ]
    if crowd.chance(0.3):
        terms["ask_above"] = str(luck.choice([5, 30]))
        terms["ask_seconds"] = luck.choice([10, 60, 3600])
        terms["on_timeout"] = luck.choice(["refuse", "allow"])
    if crowd.chance(0.1):
        terms["payees"] = luck.sample(crowd.accounts, min(2, len(crowd.accounts)))
    if crowd.chance(0.1):
        terms["hours"] = ["08:00-20:00"]
    if crowd.chance(0.1):
        terms["expires"] = write_time(crowd.clock.now + luck.choice([60, 7200]))
    return terms


async def make_mandate(crowd: Crowd, owner: Owner | None = None) -> None:
    """Set a new mandate."""
    owner = owner or crowd.luck.choice(crowd.owners)
    made = await crowd.ask("POST", "/v1/mandates", _mandate(crowd), by=owner.keys["owner"])
    if made is not None and made["owner"] == owner.id and made["id"] not in owner.mandates:
        owner.mandates.append(made["id"])


async def change_mandate(crowd: Crowd) -> None:
    """Set a mandate anew, or end it."""
    owner = crowd.luck.choice(crowd.owners)
    mandate, key = crowd.one(owner.mandates), owner.keys["owner"]
    if crowd.chance(0.15):
        await crowd.ask("POST", f"/v1/mandates/{mandate}/revoke", by=key)
    else:
        await crowd.ask("PUT", f"/v1/mandates/{mandate}", _mandate(crowd), by=key)


async def enrol(crowd: Crowd) -> None:
    """Invite a device, and enrol it, or let its code grow old."""
    owner = crowd.luck.choice(crowd.owners)
    if not owner.mandates:
        return
    account = crowd.luck.choice(owner.accounts)
    body = {"account": account, "mandate": crowd.one(owner.mandates), "seconds": 60}
    invited = await crowd.ask("POST", "/v1/devices/invitations", body, by=owner.keys["owner"])
    if invited is None or "code" not in invited:
        return
    signer, code = crowd.signer(), invited["code"]
    if crowd.chance(0.05):
        crowd.clock.move(61)
    proof = to_base64url(signer.sign(enrolment_bytes(code, signer.public)))
    body = {"code": code, "public_key": signer.public, "signature": proof}
    told = await crowd.ask("POST", "/v1/devices/enrol", body)
    if told is not None:
        crowd.devices.append(
            Device(told["device"], told["account"], crowd.owner_of(told["account"]), signer)
        )


async def change_device(crowd: Crowd) -> None:
    """Rotate a device's key, put it under another mandate, or revoke it."""
    device: Device = crowd.luck.choice(crowd.devices)
    path, key = f"/v1/devices/{device.id}", device.owner.keys["owner"]
    draw = crowd.luck.random()
    if draw < 0.5:
        await _rotate(crowd, device)
    elif draw < 0.85:
        body = {"mandate": crowd.one(device.owner.mandates)}
        await crowd.ask("PUT", f"{path}/mandate", body, by=key)
    else:
        await crowd.ask("POST", f"{path}/revoke", by=key)
        while not crowd.chance(0.3):
            await enrol(crowd)


async def _rotate(crowd: Crowd, device: Device) -> None:
    new = crowd.signer()
    message = rotation_bytes(device.id, new.public)
    body = {
        "public_key": new.public,
        "signature_old": to_base64url(device.signer.sign(message)),
        "signature_new": to_base64url(new.sign(message)),
        "overlap_seconds": crowd.luck.choice([0, 60, 3600]),
    }
    told = await crowd.ask("POST", f"/v1/devices/{device.id}/rotate", body)
    if told is not None and crowd.chance(0.9):
        device.signer = new


async def set_offer(crowd: Crowd) -> None:
    """Put up an offer, set it anew, or withdraw it."""
    owner = crowd.luck.choice(crowd.owners)
    payee, key = crowd.luck.choice(owner.accounts), owner.keys["seller"]
    body: dict[str, Any] = {
        "payee": payee,
        "path": f"/tea/{crowd.luck.randint(1, 9)}",
        "asset": "USD",
        "amount": str(crowd.luck.randint(1, 30)),
        "category": crowd.luck.choice(["", "tea"]),
    }
    if crowd.chance(0.6):
        body["fee"] = {
            "account": crowd.luck.choice(crowd.accounts),
            "ppm": crowd.luck.choice([0, 25_000, 333_333]),
            "flat": crowd.luck.choice(["0", "1"]),
            "minimum": crowd.luck.choice(["0", "2"]),
            "rounding": crowd.luck.choice(["down", "up", "half-even"]),
            "on_refund": crowd.luck.choice(["return", "keep"]),
        }
    before = crowd.one(crowd.offers)
    if before is not None and crowd.chance(0.3):
        key = crowd.owner_of(before["payee"]).keys["seller"]
        if crowd.chance(0.3):
            await crowd.ask("POST", f"/v1/offers/{before['id']}/withdraw", by=key)
            return
        await crowd.ask(
            "PUT", f"/v1/offers/{before['id']}", body | {"payee": before["payee"]}, by=key
        )
        return
    made = await crowd.ask("POST", "/v1/offers", body, by=key)
    if made is not None and "path" in made:
        crowd.offers.append(made)


async def more_keys(crowd: Crowd) -> None:
    """Make an API key, or revoke one; the ones that others ask with stay."""
    owner = crowd.luck.choice(crowd.owners)
    body = {"scopes": crowd.luck.sample(["owner", "seller", "read"], 2), "label": "more"}
    made = await crowd.ask("POST", "/v1/keys", body, by=owner.keys["owner"])
    if made is not None and crowd.chance(0.5):
        await crowd.ask("POST", f"/v1/keys/{made['id']}/revoke", by=owner.keys["owner"])


async def restart(crowd: Crowd) -> None:
    """Stop every hub and start it, now and then with another fee."""
    if crowd.chance(0.5):
        await crowd.hubs.restart()
        return
    usd = crowd.owners[0].accounts[:2]
    fee = FeeSettings(
        account=crowd.luck.choice(usd),
        ppm=crowd.luck.choice([10_000, 150_000]),
        minimum=crowd.luck.choice(["", "0.000001 USD"]),
        rounding=crowd.luck.choice(["down", "up", "half-even"]),
        on_refund=crowd.luck.choice(["return", "keep"]),
    )
    await crowd.hubs.restart({"USD": fee} if crowd.chance(0.8) else {})
