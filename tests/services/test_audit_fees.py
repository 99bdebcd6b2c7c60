"""The audit of fees: what a hub signs is held against the terms, the refunds and the ledger.

Each wrong is committed by the books themselves, signed and chained, as a hub would that takes what
it should not: only what the audit computes for itself can find it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from farthing import ids
from farthing.core.accounts import SetAccountState, TransferCode
from farthing.core.closing import CloseSession, SettleDeposit
from farthing.core.decisions import Outcome, Plan
from farthing.core.fee_taking import fee_back_id, fee_id
from farthing.core.fees import Fee, FeeTerms, read_fees, write_fees
from farthing.core.ledger import Transfer, linked
from farthing.core.mandates import Budget
from farthing.core.payments import Payment, require_payment, settled
from farthing.core.records import Read
from farthing.core.refunds import GiveBack
from farthing.core.sessions import SESSIONS
from farthing.services.audit import audit
from farthing.testing.drawing import Drawer

DAY = Budget(name="day", per="day", limit=10_000)


@dataclass(frozen=True)
class Misdo:
    """Write what a payment says of its fees, and move money beside it."""

    payment: str
    fees: str
    transfers: Sequence[Transfer] = ()
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view) -> Plan[Payment] | Outcome[Payment]:
        """State it as every payment is stated."""
        payment = require_payment(view, self.payment, None)
        after = replace(payment, fees=self.fees, leaf=view.leaf, changed_ns=view.now_ns)
        told = settled(view, after, after)
        return Plan(lambda _: told, chains=[linked(self.transfers)]) if self.transfers else told


async def sale(world):
    """A sale of 100 that gave the hub 20, of which 10 came back when half of it was refunded."""
    till, other = await world.account(), await world.account(units=50)
    world.fees = {"USD": FeeTerms(of="hub", account=till, ppm=200_000)}
    spender, payee = await world.spender(1000, DAY), await world.account()
    ident = (await world.do(world.pay(spender, payee, 100))).payment.id
    refund = ids.name("ref", world.fresh())
    await world.do(GiveBack(refund, ident, None, 50, ""))
    payment = await world.payment(ident)
    [fee] = read_fees(payment.fees)
    assert (fee.units, fee.returned) == (20, 10)
    return SimpleNamespace(
        payment=payment, fee=fee, till=till, other=other, payee=payee, refund=refund,
        spender=spender,
    )  # fmt: skip


def moved(payment, ident, debit, credit, units, code=TransferCode.FEE) -> Transfer:
    """Name a transfer between two accounts."""
    sides = (ids.number("acc", account) for account in (debit, credit))
    return Transfer(ident, *sides, units, payment.ledger, code, user_data=payment.number)


async def found(world, payment: str) -> str:
    """Audit, and give what is wrong with this payment and nothing else."""
    report = await audit(world.database, None)
    assert report.fault is not None
    assert report.fault.row == f"payment {payment}", report.text
    return report.fault.what


async def rewritten(world, payment, *fees: Fee) -> str:
    """Let the hub say other fees of a payment, and give what the audit finds."""
    await world.do(Misdo(payment.id, write_fees(fees)))
    return await found(world, payment.id)


async def test_right_fees_pass(world):
    sold = await sale(world)
    await world.do(Misdo(sold.payment.id, sold.payment.fees))
    assert (await audit(world.database, None)).text == "ok"


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"units": 21}, "its fee hub took 21 units, its terms say 20"),
        ({"units": 19}, "its fee hub took 19 units, its terms say 20"),
        ({"ppm": 300_000}, "its fee hub took 20 units, its terms say 30"),
        ({"flat": 1}, "its fee hub took 20 units, its terms say 21"),
        ({"minimum": 25}, "its fee hub took 20 units, its terms say 25"),
        ({"returned": 9}, "10 units of its fee hub went back, it says 9"),
        ({"on_refund": "keep"}, "more of its fee hub went back than was refunded"),
        ({"waived": True}, "its fee hub was waived and taken"),
        ({"units": 0, "waived": True}, "its fee hub is 0 units, the ledger took some"),
        ({"account": "acc_00000000000000000000000000"}, "20 units is not in the ledger"),
        ({"account": "nobody"}, "its fees cannot be read"),
    ],
)
async def test_a_fee_is_held_against_its_terms_and_the_ledger(world, other, says):
    sold = await sale(world)
    assert says in await rewritten(world, sold.payment, replace(sold.fee, **other))


async def test_another_rounding_is_found_where_it_makes_a_unit(world):
    till = await world.account()
    world.fees = {"USD": FeeTerms(of="hub", account=till, ppm=25_000)}
    spender = await world.spender(1000, DAY)
    payment = (await world.do(world.pay(spender, await world.account(), 101))).payment
    [fee] = read_fees(payment.fees)
    assert "took 2 units, its terms say 3" in await rewritten(
        world, payment, replace(fee, rounding="up")
    )


async def test_a_forgotten_fee_is_found(world):
    """Its transfers stay in the ledger, and the first of them is named."""
    sold = await sale(world)
    await world.do(Misdo(sold.payment.id, ""))
    report = await audit(world.database, None)
    assert report.fault.table == "transfer"
    assert report.fault.ident == fee_id(sold.payment, 0)
    assert report.fault.what == "it moved a fee, and no payment says so"


async def test_a_third_fee_is_found(world):
    sold = await sale(world)
    says = await rewritten(world, sold.payment, *[sold.fee] * 3)
    assert says == "it says that more fees were taken than a payment has"


@pytest.mark.parametrize("text", ["[", "{}", '[{"of":"hub"}]', "another"])
async def test_fees_that_cannot_be_read_are_found_and_their_payment_named(world, text):
    sold = await sale(world)
    sql = "UPDATE payments SET fees = ? WHERE id = ?"
    world.database.transact(lambda tx: tx.run(sql, (text, sold.payment.id)))
    assert await found(world, sold.payment.id) == "its fees cannot be read"


@pytest.mark.parametrize("line", [1, 2])
async def test_a_fee_beside_those_that_a_payment_says_is_found(world, line):
    sold = await sale(world)
    more = moved(sold.payment, fee_id(sold.payment, line), sold.payee, sold.till, 3)
    await world.do(Misdo(sold.payment.id, sold.payment.fees, [more]))
    assert await found(world, sold.payment.id) == "a fee was taken that it does not say"


async def test_what_goes_back_of_a_fee_that_a_payment_does_not_have_is_found(world):
    """Or money of anybody could be moved under a refund's name."""
    sold = await sale(world)
    ident = fee_back_id(sold.payment.id, sold.refund, 0, 1)
    more = moved(sold.payment, ident, sold.other, sold.payee, 50, TransferCode.FEE_BACK)
    await world.do(Misdo(sold.payment.id, sold.payment.fees, [more]))
    assert await found(world, sold.payment.id) == "a fee went back that it does not say"


async def test_a_fee_under_an_id_that_is_no_fees_is_found_and_named(world):
    sold = await sale(world)
    more = moved(sold.payment, world.fresh(), sold.payee, sold.till, 3)
    await world.do(Misdo(sold.payment.id, sold.payment.fees, [more]))
    report = await audit(world.database, None)
    assert (report.fault.table, report.fault.ident) == ("transfer", more.id)


async def test_a_fee_of_a_payment_that_has_none_is_found_and_named(world):
    sold = await sale(world)
    world.fees = {}
    plain = (await world.do(world.pay(sold.spender, sold.payee, 10))).payment
    more = moved(plain, fee_id(plain, 0), sold.payee, sold.till, 3)
    await world.do(Misdo(plain.id, "", [more]))
    report = await audit(world.database, None)
    assert (report.fault.table, report.fault.ident) == ("transfer", more.id)


@pytest.mark.parametrize("how", ["account", "amount", "code", "payer"])
async def test_a_fee_that_went_another_way_is_found(world, how):
    sold = await sale(world)
    world.fees = {}
    plain = (await world.do(world.pay(sold.spender, sold.payee, 10))).payment
    said = replace(sold.fee, units=2, returned=0)
    other = sold.other if how == "account" else sold.till
    debit = sold.spender.account if how == "payer" else sold.payee
    code = TransferCode.PAYMENT if how == "code" else TransferCode.FEE
    more = moved(plain, fee_id(plain, 0), debit, other, 3 if how == "amount" else 2, code)
    await world.do(Misdo(plain.id, write_fees([said]), [more]))
    assert await found(world, plain.id) == "its fee hub of 2 units is not in the ledger"


@pytest.mark.parametrize("how", ["account", "code", "payment"])
async def test_a_return_that_went_another_way_is_found(world, how):
    """The whole is given back by a refund that returned nothing, and then the fee by hand."""
    sold = await sale(world)
    sold.fee = replace(sold.fee, on_refund="keep")
    world.fees = {}
    refund = ids.name("ref", world.fresh())
    payment = (await world.do(world.pay(sold.spender, sold.payee, 10))).payment
    taken = moved(payment, fee_id(payment, 0), sold.payee, sold.till, 2)
    await world.do(Misdo(payment.id, "", [taken]))
    await world.credit(sold.payee, 10)
    await world.do(GiveBack(refund, payment.id, None, None, ""))
    debit = sold.other if how == "account" else sold.till
    code = TransferCode.FEE if how == "code" else TransferCode.FEE_BACK
    back = moved(payment, fee_back_id(payment.id, refund, 0, 0), debit, sold.payee, 2, code)
    if how == "payment":
        back = replace(back, user_data=sold.payment.number)
    said = replace(sold.fee, units=2, returned=2, on_refund="return")
    await world.do(Misdo(payment.id, write_fees([said]), [back]))
    assert await found(world, payment.id) == "its fee hub did not go back as it was taken"


@pytest.mark.parametrize("frozen", [None, "after", "before"])
async def test_a_fee_was_waived_only_while_its_account_was_frozen(world, frozen):
    """Or the hub could let a payee keep what belongs to an offer's platform."""
    sold = await sale(world)

    async def freeze_and_thaw():
        for to in ("frozen", "open"):
            world.clock.move(1)
            await world.do(SetAccountState(sold.till, None, to, world.fresh()))

    if frozen == "before":
        await freeze_and_thaw()
    world.fees = {}
    world.clock.move(1)
    plain = (await world.do(world.pay(sold.spender, sold.payee, 10))).payment
    if frozen == "after":
        await freeze_and_thaw()
    waived = replace(sold.fee, units=0, returned=0, waived=True)
    assert await rewritten(world, plain, waived) == "its fee hub was waived, its account was open"


@pytest.mark.parametrize("state", ["held", "refused"])
async def test_a_fee_of_what_was_never_captured_is_found(world, state):
    sold = await sale(world)
    ask = {"hold": 60} if state == "held" else {}
    units = 10 if state == "held" else 5000
    payment = (await world.do(world.pay(sold.spender, sold.payee, units, **ask))).payment
    [fee] = read_fees(payment.fees)
    says = await rewritten(world, payment, replace(fee, units=2))
    assert says == f"it is {state} and says that a fee was taken"


async def closed_session(world, sold):
    """A session of two deposits that took 150, and gave 30 of it."""
    own = Drawer(world, sold.spender, sold.payee)
    session = await own.open(100)
    await own.top_up(session, 100)
    session = await world.record(SESSIONS, session.id)
    await world.do(own.draw(session, 150))
    await own.close(session)
    return await world.record(SESSIONS, session.id)


@pytest.mark.parametrize("other", [{"ppm": 0}, {"units": 9}, {"owner": "own_x"}])
async def test_a_deposits_fee_is_held_against_the_terms_of_its_sessions_opening(world, other):
    sold = await sale(world)
    session = await closed_session(world, sold)
    second = await world.payment(session.deposits[1])
    [fee] = read_fees(second.fees)
    assert fee.units == 10
    told = (await _after(world, second, replace(fee, **other))).fault
    named = {f"payment {second.id}", f"session {session.id}"}
    assert told.row in named
    assert second.id in str(told)


async def _after(world, payment, fee):
    await world.do(Misdo(payment.id, write_fees([fee])))
    return await audit(world.database, None)


async def test_a_deposit_gives_no_fee_where_its_session_was_opened_under_none(world):
    sold = await sale(world)
    fees, world.fees = world.fees, {}
    session = await closed_session(world, sold)
    second = await world.payment(session.deposits[1])
    world.fees = fees
    taken = moved(second, fee_id(second, 0), sold.payee, sold.till, 10)
    said = replace(sold.fee, units=10, returned=0)
    await world.do(Misdo(second.id, write_fees([said]), [taken]))
    report = await audit(world.database, None)
    assert report.fault is not None
    assert report.fault.row == f"session {session.id}"
    assert report.fault.what == f"{second.id} is under other fees than its session's opening"


async def test_a_waived_deposit_is_right_only_where_its_account_was_frozen(world):
    sold = await sale(world)
    own = Drawer(world, sold.spender, sold.payee)
    session = await own.open(100)
    await world.do(own.draw(session, 50))
    await world.do(CloseSession(session.id, None))
    await world.do(SetAccountState(sold.till, None, "frozen", world.fresh()))
    await world.do(SettleDeposit(session.deposits[0]))
    await world.do(SetAccountState(sold.till, None, "open", world.fresh()))
    assert (await audit(world.database, None)).text == "ok"
