"""Ids that clients choose must not stand in the way of other people's money."""

import pytest

from farthing import ids
from farthing.core.orders import payment_id
from farthing.core.payments import Place, State
from farthing.core.refunds import GiveBack
from farthing.core.settling import Capture, Void


def refund_named(number: int, payment: str, units: int = 1) -> GiveBack:
    return GiveBack(ids.name("ref", number), payment, None, units, "")


async def sold(world, units=10):
    """A payment that the attacker's own shop has captured, to refund from."""
    spender, shop = await world.spender(100), await world.account()
    return (await world.do(world.pay(spender, shop, units))).payment.id


async def test_a_refund_named_like_a_payment_to_come_does_not_keep_it_from_being_made(world):
    own = await sold(world)
    spender, payee = await world.spender(100), await world.account()
    signed = world.order(spender, payee, 10)
    done = await world.do(refund_named(payment_id(signed.order), own))
    assert done.refund.state == "done"
    paid = await world.do(world.authorise(spender, signed))
    assert paid.payment.state is State.CAPTURED


@pytest.mark.parametrize("end", [Capture, Void])
async def test_a_refund_named_like_the_end_of_a_hold_does_not_keep_it_from_ending(world, end):
    own = await sold(world)
    spender, payee = await world.spender(100), await world.account()
    held = (await world.do(world.pay(spender, payee, 10, hold=60))).payment
    for place in (Place.CAPTURE, Place.VOID):
        await world.do(refund_named(held.number | (place - 1), own))
    assert (await world.do(end(held.id, None))).state in (State.CAPTURED, State.VOIDED)


async def test_a_refund_whose_name_ends_in_ones_can_be_tried_again(world):
    own = await sold(world)
    payment = await world.payment(own)
    mandate = await world.mandate(payment.payee_owner)
    shop = await world.device(payment.payee, mandate.id)
    elsewhere = await world.account()
    await world.do(world.pay(shop, elsewhere, 10))
    name = world.fresh() | 0xFF
    tried = await world.do(refund_named(name, own))
    assert tried.refund.state == "insufficient-seller-balance"
    await world.credit(payment.payee, 10)
    assert (await world.do(refund_named(name, own))).refund.state == "done"
