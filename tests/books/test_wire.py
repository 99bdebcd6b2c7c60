"""What passes between a hub and its writing process arrives as what it was."""

import msgspec

from farthing.books.base import Done
from farthing.books.wire import LENGTH, Answered, Asked, Commit, pack, unpack
from farthing.core.events import Event, Kind
from farthing.core.fees import FeeTerms
from farthing.core.orders import payment_name


def across(message):
    packed = pack(message)
    assert LENGTH.unpack_from(packed)[0] == len(packed) - LENGTH.size
    return unpack(packed[LENGTH.size :])


async def test_a_charge_arrives_whole_and_with_the_name_of_its_payment(world):
    spender, payee = await world.spender(100), await world.account()
    unit = world.pay(spender, payee, 40)
    fees = {"USD": FeeTerms(of="hub", account=payee, ppm=3, flat=2**62, on_refund="keep")}
    charged = msgspec.structs.replace(unit, fees=fees, claim="üß", only_recorded=True)
    [[plain, other], since] = across(Asked("run", ([unit, charged], 1.5), 2)).arguments
    assert (plain, other, since) == (unit, charged, 1.5)
    assert other.name == payment_name(unit.signed.order)
    assert len(vars(other.signed.order)) == 1  # The signed bytes came along.
    assert other.signed.order.signed_bytes() == unit.signed.order.signed_bytes()


async def test_an_answer_arrives_whole_with_its_proof(world):
    spender, payee = await world.spender(100), await world.account()
    paid, refused = await world.books.commit([world.pay(spender, payee, n) for n in (40, 70)])
    assert refused.answer.payment.reason
    held = await world.do(world.pay(spender, payee, 5, hold=60))
    bare = Done(paid.answer)
    event = Event(2**60, "own", Kind.PAYMENT_CAPTURED, "pay", 7, {"captured": str(2**63)})
    told = [Commit(0.5, 0.25, 3, [event]), Commit(0.5, 0.25, 3, None)]
    given = Answered([paid, refused, bare, Done(held)], None, [paid.proof.head], told, True)
    heard = across(given)
    assert heard == given
    assert heard.result[0].proof.head is heard.result[1].proof.head  # It came once.
