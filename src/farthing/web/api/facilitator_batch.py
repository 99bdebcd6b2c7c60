"""The facilitator for x402 `batch-settlement`: a voucher is kept, and charged once it served.

`/verify` takes a voucher: it is on disk and the most that the request may cost is set aside when
the seller hears yes, so a seller serves nothing that is not promised to it. `/settle` charges what
it came to. What was promised and not charged is the payer's again when the session ends.

Source: x402 specification v2, scheme `batch-settlement`; docs/reference/methods.md.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import msgspec

from farthing.clock import NS
from farthing.codec import read_json
from farthing.core.drawing import Draw
from farthing.core.idempotency import Once
from farthing.core.promises import Promise
from farthing.core.session_charges import Charge, Charged, SetAside, unit_tariff
from farthing.core.sessions import opening_of, require_deposit
from farthing.core.vouchers import read_voucher
from farthing.errors import (
    FarthingError,
    Malformed,
    PaymentRefused,
)
from farthing.money import parse_units
from farthing.protocols.names import network
from farthing.protocols.x402_batch import BatchAsk, Brought, batch_ask, commitment, read_payload
from farthing.services.proving import Presented
from farthing.services.sessions import require_funded
from farthing.web.api.endpoint import Call
from farthing.web.api.payees import require_payee


class Batched(NamedTuple):
    """A payload for a requirement. Units: `units` is what is settled for, of `ask.amount`."""

    ask: BatchAsk
    brought: Brought
    units: int


def read(message: Mapping[str, Any], required: Mapping[str, Any]) -> Batched:
    """Read a payload that accepted what is required, or at the settlement more than that.

    Raises: Malformed.
    """
    ask = batch_ask(message["accepted"])
    if ask.tariff != unit_tariff(ask.asset):
        raise Malformed("malformed-tariff", "a facilitator charges money: leave extra.tariff out")
    return Batched(ask, read_payload(message, ask), parse_units(required["amount"]))


async def check(call: Call, batched: Batched) -> None:
    """Check form, hub, time and signatures, and nothing else.

    Raises: FarthingError.
    """
    _require_here(call, batched.ask)
    signed = batched.brought.signed
    if signed is not None and signed.order.expires <= call.desk.ctx.clock() // NS:
        raise PaymentRefused("order-expired", "the order has expired")
    await _prove(call, batched.brought)


async def verify(call: Call, batched: Batched) -> dict[str, Any]:
    """Take the voucher for its payee, and the deposit where one is brought; give what to tell.

    Raises: FarthingError.
    """
    await _fund(call, batched)
    unit = await _set_aside(call, batched)
    done = await call.desk.ctx.books.commit_one(unit, call.bearer)
    sequence = done.answer.charges.sequence
    told = {"commitment": commitment(done.answer.session.id, sequence)} | _state(done.answer)
    return {"isValid": True, "payer": done.answer.session.payer, "extra": told}


async def settle(call: Call, batched: Batched) -> dict[str, Any]:
    """Charge what the request came to; give what to tell.

    Raises: FarthingError.
    """
    await _fund(call, batched)
    unit = Charge(await _set_aside(call, batched), batched.units)
    hub = network(call.desk.ctx.identity.hub)
    sequence = unit.voucher.voucher.promise.claims.sequence
    key, content = call.key(call.asker.name)
    once = Once(unit, key, content, 200, partial(_settled, hub, sequence))
    done = await call.desk.ctx.books.commit_one(once, call.bearer)
    return read_json(done.answer.body)


def _settled(hub: str, sequence: int, done: Charged) -> bytes:
    return msgspec.json.encode(
        {
            "success": True,
            "transaction": commitment(done.session.id, sequence),
            "network": hub,
            "payer": done.session.payer,
            "amount": str(done.units),
            "extra": {"chargedAmount": str(done.units)} | _state(done),
        }
    )


async def _fund(call: Call, batched: Batched) -> None:
    """Open the session that a deposit is for, or top it up; again is no harm.

    Raises: PaymentRefused, Conflict `awaiting-owner`, FarthingError.
    """
    _require_here(call, batched.ask)
    await require_payee(call, batched.ask.payee)
    signed = batched.brought.signed
    if signed is None:
        return
    # Before anything is held for a voucher that is none, or that it would not cover.
    await _prove(call, batched.brought)
    sessions, brought = call.desk.sessions, batched.brought
    known = await sessions.proofs.find(brought.session)
    held = 0 if known is None else known.deposit
    require_deposit(signed.order, held, read_voucher(brought.voucher).claims.units)
    if opening_of(signed.order.resource) is None:
        done = await sessions.top_up(signed, call.bearer)
    else:
        done = await sessions.open(signed, batched.ask.tariff, bearer=call.bearer)
    require_funded(done.answer.payment)


async def _set_aside(call: Call, batched: Batched) -> SetAside:
    ask, brought = batched.ask, batched.brought
    draw = Draw(brought.session, await _promise(call, brought), call.asker.sees)
    most = call.desk.config.payments.hold_seconds_max
    return SetAside(draw, ask.wanted, ask.amount, min(ask.timeout_seconds, most))


async def _prove(call: Call, brought: Brought) -> None:
    """Check who signed what is brought: the order of a deposit, and the voucher beside it."""
    signed = brought.signed
    if signed is not None and opening_of(signed.order.resource) is not None:
        await call.desk.sessions.check_opening(signed, brought.voucher, call.bearer)
        return
    if signed is not None:
        await call.desk.payments.check_signature(signed, call.bearer)
    await _promise(call, brought)


async def _promise(call: Call, brought: Brought) -> Promise:
    presented = Presented(brought.session, brought.voucher)
    found = await call.desk.sessions.check(presented, call.bearer)
    if isinstance(found, FarthingError):
        raise found
    return found


def _require_here(call: Call, ask: BatchAsk) -> None:
    if ask.hub != call.desk.ctx.identity.hub:
        raise PaymentRefused("wrong-hub", "this is for another hub")


def _state(done: Charged) -> dict[str, Any]:
    """Say how the channel stands, in the words that x402 has for it on chains."""
    return {
        "channelState": {
            "channelId": done.session.id,
            "balance": str(done.session.deposit),
            "chargedCumulativeAmount": str(done.charges.charged),
            "signedMaxClaimable": str(done.session.units),
            "totalClaimed": str(done.session.captured),
        }
    }
