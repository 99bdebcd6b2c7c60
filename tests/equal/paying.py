"""What payers and sellers do with payments: one by one, in batches, for later, and over x402."""

from typing import Any

import msgspec

from farthing.clock import write_time
from farthing.codec import to_base64url
from farthing.core.batches import Batch, BatchLine, signed_bytes, write_batch
from farthing.core.orders import SignedOrder, payment_id
from farthing.ids import encode, fresh, name
from tests.equal.crowd import Crowd, Device, body_of
from tests.equal.hubs import read

MESSAGEPACK = "application/msgpack"


def _drawn(crowd: Crowd, **members: Any) -> tuple[SignedOrder, Device]:
    device = crowd.luck.choice(crowd.devices)
    payee = crowd.luck.choice(crowd.accounts)
    if payee == device.account and crowd.chance(0.8):
        payee = crowd.luck.choice(crowd.accounts)
    signed = crowd.order(device, payee, crowd.units(), **members)
    crowd.payments.append(name("pay", payment_id(signed.order)))
    return signed, device


def _seller(crowd: Crowd, payee: str) -> str:
    return crowd.owner_of(payee).keys["seller"]


async def pay(crowd: Crowd) -> None:
    """Pay at once."""
    signed, _ = _drawn(crowd)
    body = body_of(signed)
    if crowd.chance(0.15):
        body["category"] = "tea"
    by = _seller(crowd, signed.order.payee) if crowd.chance(0.2) else None
    await crowd.ask("POST", "/v1/payments", body, by=by)


async def authorise(crowd: Crowd) -> None:
    """Hold or charge as the seller, perhaps for an offer, or under its buyer's key."""
    signed, _ = _drawn(crowd)
    body: dict[str, Any] = body_of(signed)
    offer = crowd.one(crowd.offers)
    if offer is not None and crowd.chance(0.5):
        signed = crowd.order(crowd.luck.choice(crowd.devices), offer["payee"], int(offer["amount"]))
        crowd.payments.append(name("pay", payment_id(signed.order)))
        body = body_of(signed) | {"offer": offer["id"], "category": offer["category"] or ""}
    body["hold_seconds"] = crowd.luck.choice([1, 60, 60, 600, 86_400])
    body["capture"] = crowd.chance(0.3)
    if crowd.chance(0.2):
        body["claim"] = crowd.luck.choice(["till 1", "till 2"])
    if crowd.chance(0.2):
        content = to_base64url(bytes(31) + bytes([crowd.luck.randint(0, 2)]))
        once = {"method": "GET", "route": "/tea", "key": crowd.luck.choice("abc")}
        body["once"] = once | {"content": content}
    await crowd.ask("POST", "/v1/payments/authorise", body, by=_seller(crowd, signed.order.payee))


async def settle(crowd: Crowd) -> None:
    """Capture, void or refund, or say that a delivery broke off."""
    payment = crowd.one(crowd.payments)
    if payment is None:
        return
    path = f"/v1/payments/{payment}"
    shown = await crowd.send_local("GET", path)
    told = read(shown)
    if "state" not in told and crowd.chance(0.9):
        crowd.payments.remove(payment)  # It was refused without a record.
        return
    verb = crowd.luck.choice(_FITTING.get(told.get("state"), ["capture", "refunds"]))
    by = _seller(crowd, told["payee"]) if "payee" in told else _any(crowd)
    units = {"units": str(crowd.units(40))} if crowd.chance(0.5) else {}
    reason = {"reason": "because"} if crowd.chance(0.5) else {}
    if verb == "delivery":
        await crowd.ask("POST", f"{path}/{verb}", {"reason": "broke off"}, by=by)
    elif verb == "refunds":
        own = {"id": crowd.name("ref")} if crowd.chance(0.5) else {}
        await crowd.ask("POST", f"{path}/{verb}", units | reason | own, by=by)
    elif verb == "capture":
        await crowd.ask("POST", f"{path}/{verb}", units or None, by=by)
    elif verb == "void":
        await crowd.ask("POST", f"{path}/{verb}", reason or None, by=by)
    else:
        payer = crowd.owner_of(told["payer"]).keys["owner"]
        await crowd.ask("POST", f"{path}/{verb}", by=payer)


_FITTING = {
    "held": ["capture", "capture", "void"],
    "captured": ["refunds", "refunds", "delivery"],
    "awaiting": ["approve", "approve", "deny"],
}


def _any(crowd: Crowd) -> str:
    return crowd.luck.choice(crowd.owners).keys["seller"]


async def cancel(crowd: Crowd) -> None:
    """Cancel an order that was sent, or one that was not yet."""
    if crowd.orders and crowd.chance(0.5):
        signed, device = crowd.one(crowd.orders)
    else:
        signed, device = _drawn(crowd)
    proof = device.signer.sign(signed.order.cancel_bytes())
    await crowd.ask("POST", "/v1/payments/cancel", body_of(SignedOrder(signed.order, proof)))


async def pay_again(crowd: Crowd) -> None:
    """Pay an order that was signed before, whatever became of it."""
    if crowd.orders:
        signed, _ = crowd.one(crowd.orders)
        await crowd.ask("POST", "/v1/payments", body_of(signed))


async def batch_of_signed(crowd: Crowd) -> None:
    """Pay many orders, each signed by its device, in either form."""
    drawn = [_drawn(crowd)[0] for _ in range(crowd.luck.randint(1, 8))]
    if crowd.orders and crowd.chance(0.3):
        drawn.append(crowd.one(crowd.orders)[0])
    if crowd.chance(0.5):
        items: list[Any] = [body_of(signed) for signed in drawn]
        if crowd.chance(0.2):
            items.insert(crowd.luck.randint(0, len(items)), {"order": {}, "signature": ""})
        await crowd.ask("POST", "/v1/payments/batch", {"payments": items})
        return
    packed = [
        [*(value for _, value in sorted(one.order.members().items())), one.signature]
        for one in drawn
    ]
    raw = msgspec.msgpack.encode(["payments", packed])
    await crowd.ask("POST", "/v1/payments/batch", raw, media=MESSAGEPACK)


async def batch_under_one(crowd: Crowd) -> None:
    """Pay many orders of one device under its one signature, in either form."""
    device: Device = crowd.luck.choice(crowd.devices)
    lines = [_line(crowd) for _ in range(crowd.luck.choice([1, 3, 10, 40]))]
    batch = Batch(crowd.hubs.identity, device.id, "USD", crowd.clock.now + 300, lines)
    raw = write_batch(batch)
    signature = device.signer.sign(signed_bytes(raw))
    if crowd.chance(0.5):
        body = {"batch": to_base64url(raw), "signature": to_base64url(signature)}
        await crowd.ask("POST", "/v1/payments/batch", body)
    else:
        packed = msgspec.msgpack.encode(["batch", raw, signature])
        await crowd.ask("POST", "/v1/payments/batch", packed, media=MESSAGEPACK)


def _line(crowd: Crowd) -> BatchLine:
    nonce = encode(fresh(crowd.clock.now_ns // 1_000_000, crowd.luck.getrandbits))
    return BatchLine(crowd.luck.choice(crowd.accounts), crowd.units(9), nonce, "")


async def verify_exact(crowd: Crowd) -> None:
    """Have an x402 payment held, or only looked at by nobody in particular."""
    signed, _ = _drawn(crowd)
    body = _x402(signed, crowd.luck.choice(["exact", "upto"]))
    crowd.exact.append(body)
    by = _seller(crowd, signed.order.payee) if crowd.chance(0.9) else None
    await crowd.ask("POST", "/verify", body, by=by)


async def settle_exact(crowd: Crowd) -> None:
    """Settle an x402 payment that was verified, or one that was not; `upto` for what was used."""
    if not crowd.exact or crowd.chance(0.2):
        signed, _ = _drawn(crowd)
        crowd.exact.append(_x402(signed, crowd.luck.choice(["exact", "upto"])))
    body = crowd.one(crowd.exact)
    required = body["paymentRequirements"]
    if required["scheme"] == "upto":
        used = min(int(required["amount"]), crowd.luck.choice([0, 1, 7, 10**6]))
        body = body | {"paymentRequirements": required | {"amount": str(used)}}
    await crowd.ask("POST", "/settle", body, by=_seller(crowd, required["payTo"]))


def _x402(signed: SignedOrder, scheme: str) -> dict[str, Any]:
    order = signed.order
    required = {
        "scheme": scheme,
        "network": f"farthing:{order.hub}",
        "asset": order.asset,
        "amount": str(order.amount),
        "payTo": order.payee,
        "maxTimeoutSeconds": 60,
        "extra": {"resource": order.resource},
    }
    proof = {
        "device": order.device,
        "expires": write_time(order.expires),
        "nonce": order.nonce,
        "signature": to_base64url(signed.signature),
    }
    payload = {"x402Version": 2, "accepted": required, "payload": proof}
    return {"x402Version": 2, "paymentPayload": payload, "paymentRequirements": dict(required)}
