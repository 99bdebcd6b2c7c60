"""What is done with sessions: deposits, vouchers, ticks, ends and closes, and x402 charges."""

from typing import Any

import msgspec

from farthing.clock import NS, parse_time
from farthing.codec import from_base64url, to_base64url
from farthing.core.ladders import Climber
from farthing.core.orders import payment_id
from farthing.core.session_charges import unit_tariff
from farthing.core.sessions import Opening, alias_of, top_up_resource
from farthing.core.tariffs import flat_rate
from farthing.core.ticks import Tick, write_tick
from farthing.core.vouchers import Agreed, Claims, sign_voucher
from farthing.ids import name
from tests.equal.crowd import Channel, Crowd, Device, Purchase, body_of

TARIFF = flat_rate("USD", "request", 1)
BATCH_TARIFF = unit_tariff("USD")
LADDER_TICKS = 40


def _seller(crowd: Crowd, payee: str) -> str:
    return crowd.owner_of(payee).keys["seller"]


async def open_session(crowd: Crowd) -> None:
    """Open a session, perhaps for an offer with a fee."""
    device: Device = crowd.luck.choice(crowd.devices)
    lifetime, grace = crowd.luck.choice([(30, 5), (600, 60), (86_400, 600)])
    resource = Opening(TARIFF.digest(), lifetime, grace, "GET /readings").resource()
    offer, more, by = crowd.one(crowd.offers), {}, None
    payee = crowd.luck.choice(crowd.accounts)
    if offer is not None and crowd.chance(0.3):
        payee, more = offer["payee"], {"offer": offer["id"]}
        by = _seller(crowd, payee)
    signed = crowd.order(device, payee, crowd.units(200), resource=resource)
    crowd.payments.append(name("pay", payment_id(signed.order)))
    body = body_of(signed) | {"tariff": TARIFF.members()} | more
    opened = await crowd.ask("POST", "/v1/sessions", body, by=by)
    if opened is not None and opened.get("session"):
        crowd.purchases.append(Purchase(opened["session"], device))


async def top_up(crowd: Crowd) -> None:
    """Add to a deposit."""
    one: Purchase | None = crowd.one(crowd.purchases)
    if one is None:
        return
    resource = top_up_resource(one.told["id"])
    payee = one.told["payee"] if crowd.chance(0.95) else crowd.luck.choice(crowd.accounts)
    signed = crowd.order(one.device, payee, crowd.units(100), resource=resource)
    crowd.payments.append(name("pay", payment_id(signed.order)))
    await crowd.ask("POST", f"/v1/sessions/{one.told['id']}/deposits", body_of(signed))


def _voucher(crowd: Crowd, one: Purchase) -> str:
    """Sign for some more, now and then for less or for far more, and perhaps with a ladder."""
    one.sequence += 1
    one.units = max(0, one.units + crowd.luck.choice([1, 3, 10, 30, 0, -2, 90]))
    ladder = None
    if crowd.chance(0.35):
        alias = from_base64url(one.told["alias"])
        one.climber = Climber(alias, crowd.luck.randbytes(16), LADDER_TICKS)
        one.each = crowd.luck.choice([1, 2, 5])
        ladder = one.climber.ladder(one.each)
    claims = Claims(
        from_base64url(one.told["alias"]),
        one.units,
        one.sequence,
        parse_time(one.told["ends_at"]),
        *(() if ladder is None else (ladder,)),
    )
    tariff = from_base64url(one.told["tariff_hash"])
    agreed = Agreed(one.told["id"], one.told["payee"], one.told["asset"], tariff)
    voucher = to_base64url(sign_voucher(one.device.signer, agreed, claims))
    if ladder is not None:
        one.ladder_voucher = voucher
    return voucher


def _tick(crowd: Crowd, one: Purchase) -> bytes:
    alias, count = from_base64url(one.told["alias"]), crowd.luck.randint(1, LADDER_TICKS)
    assert one.climber is not None
    rung = one.climber.rung(count)
    if crowd.chance(0.05):
        rung = (count, crowd.luck.randbytes(16))
    return write_tick(Tick(alias, *rung))


async def draw(crowd: Crowd) -> None:
    """Draw by a voucher, alone or with a tick of its ladder, in time or late."""
    one: Purchase | None = crowd.one(crowd.purchases)
    if one is None:
        return
    body: dict[str, Any] = {"voucher": _voucher(crowd, one)}
    if body["voucher"] == one.ladder_voucher and crowd.chance(0.3):
        body["tick"] = to_base64url(_tick(crowd, one))
    by = None
    if crowd.chance(0.15):
        body["late"], by = True, _seller(crowd, one.told["payee"])
    await crowd.ask("POST", f"/v1/sessions/{one.told['id']}/vouchers", body, by=by)


async def draw_many(crowd: Crowd) -> None:
    """Draw several sessions at once by vouchers."""
    some = [crowd.one(crowd.purchases) for _ in range(crowd.luck.randint(1, 6))]
    items = [
        {"session": one.told["id"], "voucher": _voucher(crowd, one)}
        for one in some
        if one is not None
    ]
    if items:
        await crowd.ask("POST", "/v1/vouchers", {"vouchers": items})


def _climbing(crowd: Crowd) -> list[Purchase]:
    return [one for one in crowd.purchases if one.climber is not None]


async def tick(crowd: Crowd) -> None:
    """Draw by ticks: one, many in either form, or bare ones of one payee."""
    one: Purchase | None = crowd.one(_climbing(crowd))
    if one is None:
        return
    raw, ident, payee = _tick(crowd, one), one.told["id"], one.told["payee"]
    kind = crowd.luck.choice(["one", "written", "packed", "bare"])
    if kind == "one":
        await crowd.ask("POST", f"/v1/sessions/{ident}/ticks", {"tick": to_base64url(raw)})
        return
    others = [crowd.one(_climbing(crowd)) for _ in range(crowd.luck.randint(0, 5))]
    more = [(other.told["id"], _tick(crowd, other)) for other in others]
    if kind == "bare":
        bare = b"".join([raw, *(each for _, each in more)])
        path = f"/v1/accounts/{payee}/ticks"
        await crowd.ask("POST", path, bare, media="application/octet-stream")
    elif kind == "packed":
        body = msgspec.msgpack.encode({"ticks": [[ident, raw], *map(list, more)]})
        await crowd.ask("POST", "/v1/ticks", body, media="application/msgpack")
    else:
        items = [{"session": i, "tick": to_base64url(t)} for i, t in [(ident, raw), *more]]
        await crowd.ask("POST", "/v1/ticks", {"ticks": items})


async def finish(crowd: Crowd) -> None:
    """End a session as its payer, or close it as its payee."""
    one: Purchase | None = crowd.one(crowd.purchases)
    if one is None:
        return
    path = f"/v1/sessions/{one.told['id']}"
    if crowd.chance(0.4):
        by: Any = one.device if crowd.chance(0.5) else one.device.owner.keys["owner"]
        await crowd.ask("POST", f"{path}/end", by=by)
    else:
        units = {"units": str(crowd.units(50))} if crowd.chance(0.4) else None
        await crowd.ask("POST", f"{path}/close", units, by=_seller(crowd, one.told["payee"]))


async def buy_batched(crowd: Crowd) -> None:
    """Buy over x402 `batch-settlement`: verify, settle or both; open, go on, or top up."""
    one: Channel | None = crowd.one(crowd.channels)
    if one is None or crowd.chance(0.25):
        one = _new_channel(crowd)
    amount = crowd.luck.randint(1, 20)
    payload = _payload(crowd, one, amount)
    asked = _required(crowd, one, amount)
    by = _seller(crowd, one.payee)
    message = {"x402Version": 2, "accepted": asked, "payload": payload}
    body = {"x402Version": 2, "paymentPayload": message, "paymentRequirements": asked}
    if crowd.chance(0.8):
        told = await crowd.ask("POST", "/verify", body, by=by if crowd.chance(0.95) else None)
        one.is_open = one.is_open or bool(told and told.get("isValid") and told.get("payer"))
    if crowd.chance(0.8):
        used = crowd.luck.choice([amount, amount, crowd.luck.randint(0, amount)])
        body["paymentRequirements"] = asked | {"amount": str(used)}
        told = await crowd.ask("POST", "/settle", body, by=by)
        one.is_open = one.is_open or bool(told and told.get("success"))


def _new_channel(crowd: Crowd) -> Channel:
    device: Device = crowd.luck.choice(crowd.devices)
    payee = crowd.luck.choice(crowd.accounts)
    resource = Opening(BATCH_TARIFF.digest(), 3600, 600, "tea shop").resource()
    signed = crowd.order(device, payee, crowd.luck.randint(20, 150), resource=resource)
    one = Channel(name("ses", payment_id(signed.order)), device, payee, signed)
    crowd.channels.append(one)
    crowd.payments.append(name("pay", payment_id(signed.order)))
    return one


def _payload(crowd: Crowd, one: Channel, amount: int) -> dict[str, Any]:
    one.sequence += 1 if crowd.chance(0.95) else 0
    one.units += amount if crowd.chance(0.9) else crowd.luck.randint(-5, 5)
    agreed = Agreed(one.id, one.payee, "USD", BATCH_TARIFF.digest())
    end = crowd.clock.now_ns // NS + 3600
    claims = Claims(alias_of(one.id), max(0, one.units), one.sequence, end)
    voucher = to_base64url(sign_voucher(one.device.signer, agreed, claims))
    signed = None if one.is_open else one.signed
    if one.is_open and crowd.chance(0.1):
        signed = crowd.order(one.device, one.payee, 40, resource=top_up_resource(one.id))
        crowd.payments.append(name("pay", payment_id(signed.order)))
    if signed is None:
        return {"type": "voucher", "session": one.id, "voucher": voucher}
    return {"type": "deposit", **body_of(signed), "voucher": voucher}


def _required(crowd: Crowd, one: Channel, amount: int) -> dict[str, Any]:
    return {
        "scheme": "batch-settlement",
        "network": f"farthing:{crowd.hubs.identity}",
        "asset": "USD",
        "amount": str(amount),
        "payTo": one.payee,
        "maxTimeoutSeconds": 60,
        "extra": {"purpose": "tea shop", "lifetime": "3600", "grace": "600"},
    }


async def close_channel(crowd: Crowd) -> None:
    """Close an x402 session as its payee."""
    one: Channel | None = crowd.one(crowd.channels)
    if one is not None:
        path = f"/v1/sessions/{one.id}/close"
        units = {"units": str(crowd.units(50))} if crowd.chance(0.3) else None
        await crowd.ask("POST", path, units, by=_seller(crowd, one.payee))
