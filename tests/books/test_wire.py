"""What passes between a hub and its writing process arrives as what it was."""

import msgspec

from farthing.books.base import Done
from farthing.books.court import Judged
from farthing.books.parcels import Answers, Units
from farthing.books.wire import LENGTH, Answered, Asked, Commit, pack, unpack
from farthing.core.events import Event, Kind
from farthing.core.fees import FeeTerms
from farthing.core.orders import payment_name
from farthing.core.settling import Capture
from farthing.errors import Missing


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
    told = [Commit(0.5, 0.25, 3, [event], Judged(2, 0.125)), Commit(0.5, 0.25, 3, None)]
    given = Answered([paid, refused, bare, Done(held)], None, [paid.proof.head], told, True)
    heard = across(given)
    assert heard == given
    assert heard.result[0].proof.head is heard.result[1].proof.head  # It came once.


async def test_units_that_are_alike_cross_together_and_others_by_themselves(world):
    spender, other, payee = await world.spender(100), await world.spender(9), await world.account()
    first, second, third, last = (world.pay(spender, payee, n) for n in (1, 2, 3, 4))
    odd = msgspec.structs.replace(third, claim="who")
    units = [first, second, world.pay(other, payee, 5), odd, last, Capture("pay", None, None), last]
    [came, since] = across(Asked("run", (Units(units), 1.5), 2)).arguments
    assert (type(came), came, since) == (list, units, 1.5)
    assert came[0].device is came[1].device
    assert came[0].device is not came[2].device
    for unit in (came[0], came[1]):
        assert len(vars(unit.signed.order)) == 1
        assert unit.name == payment_name(unit.signed.order)


async def test_a_batch_of_one_signer_takes_half_the_bytes(world):
    spender, payee = await world.spender(100), await world.account()
    units = [world.pay(spender, payee, 1) for _ in range(20)]
    together = pack(Asked("run", (Units(units), 1.5), 2))
    assert len(together) < 0.65 * len(pack(Asked("run", (units, 1.5), 2)))


async def test_answers_of_one_commit_cross_together_and_in_their_order(world):
    spender, payee = await world.spender(100), await world.account()
    some = await world.books.commit([world.pay(spender, payee, n) for n in (40, 70, 1)])
    more = await world.books.commit([world.pay(spender, payee, n) for n in (2, 3)])
    fault = Missing("no-such-payment", "there is none")
    given = Answers([*some, fault, *more, Done(more[0].answer.payment, more[0].proof), None])
    came = across(Answered(given, None, [], [], False)).result
    assert type(came) is list
    assert (came[:3], came[4:]) == ([*given[:3]], [*given[4:]])
    assert (came[3].code, came[3].detail) == (fault.code, fault.detail)
    assert came[0].proof.head is came[2].proof.head
