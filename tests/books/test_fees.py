"""Fees: taken in the unit that captures, by the terms of the order, and back with a refund."""

import pytest

from farthing import ids
from farthing.core.accounts import ACCOUNTS, SetAccountState
from farthing.core.answers import AnswerAsk
from farthing.core.closing import CloseSession, SettleDeposit
from farthing.core.events import Kind
from farthing.core.fees import FeeTerms, read_fees
from farthing.core.mandates import Budget
from farthing.core.offers import OfferRecord, SetOffer
from farthing.core.payments import State
from farthing.core.refunds import GiveBack
from farthing.core.sessions import SESSIONS
from farthing.core.settling import Capture, Void
from farthing.core.statements import Line
from farthing.errors import Conflict, Missing
from farthing.services.audit import examine
from farthing.store.accounts import newest_transfer, postings
from farthing.testing.drawing import Drawer
from tests.books.auditor import check_history

DAY = Budget(name="day", per="day", limit=10_000)


async def hub_takes(world, **terms) -> str:
    """Let the hub take a fee, and give the account that gets it."""
    till = await world.account()
    world.fees = {"USD": FeeTerms(of="hub", account=till, **terms)}
    return till


async def offer_of(world, payee, account, **terms) -> str:
    """Put up an offer that gives a fee of its own."""
    ident = ids.name("off", world.fresh())
    fee = FeeTerms(of=ident, account=account, **terms)
    record = OfferRecord(
        id=ident,
        owner="",
        payee=payee,
        method="GET",
        path="/a",
        asset="USD",
        amount=1,
        fee=fee,
    )
    await world.do(SetOffer(record, None, creates=True))
    return ident


async def sides(world, units=1000):
    return await world.spender(units, DAY), await world.account()


async def freeze(world, account, to="frozen"):
    await world.do(SetAccountState(account, None, to, world.fresh()))


async def audited(world) -> None:
    """Check the whole history, and that an audit finds nothing."""
    await world.database.read(check_history)
    report = await world.database.read(lambda tx: examine(tx, None, None))
    assert report.text == "ok"


def refund(world, ident, units=None):
    return GiveBack(ids.name("ref", world.fresh()), ident, None, units, "")


async def events(world, kind) -> list:
    sql = "SELECT name, body FROM events JOIN names ON names.number = owner"
    sql += " WHERE kind = ? ORDER BY events.number"
    return await world.database.read(lambda tx: tx.rows(sql, (str(kind),)))


async def test_a_charge_pays_the_payee_and_the_payee_pays_the_fee_in_one_unit(world):
    till = await hub_takes(world, ppm=25_000, flat=3)
    spender, payee = await sides(world)
    done = await world.books.commit_one(world.pay(spender, payee, 400))
    assert [await world.available(a) for a in (spender.account, payee, till)] == [600, 387, 13]
    assert await world.budget(spender.device.mandate, "day") == (9600, 400)
    assert b'"fees":[{"account":"%b","of":"hub","returned":"0","units":"13"}]' % till.encode() in (
        done.proof.statement
    )
    counters = await world.ledger_account(payee)
    assert (counters.credits_posted, counters.debits_posted) == (400, 13)
    [(_, taken)] = await events(world, Kind.FEE_TAKEN)
    assert '"units":"13"' in taken
    assert all('"fee":"13"' in body for _, body in await events(world, Kind.PAYMENT_CAPTURED))
    await audited(world)


async def test_the_fee_of_a_hold_is_of_what_was_captured(world):
    till = await hub_takes(world, ppm=100_000, rounding="up")
    spender, payee = await sides(world)
    held = (await world.do(world.pay(spender, payee, 400, hold=60))).payment
    assert (read_fees(held.fees)[0].units, await world.available(till)) == (0, 0)
    await world.do(Capture(held.id, None, 55))
    await world.do(Capture(held.id, None, 55))
    assert [await world.available(a) for a in (spender.account, payee, till)] == [945, 49, 6]
    await audited(world)


async def test_nothing_is_taken_of_what_is_voided(world):
    till = await hub_takes(world, minimum=100)
    spender, payee = await sides(world)
    held = (await world.do(world.pay(spender, payee, 400, hold=60))).payment
    await world.do(Void(held.id, None))
    assert [await world.available(a) for a in (spender.account, payee, till)] == [1000, 0, 0]
    await audited(world)


async def test_a_fee_is_what_was_agreed_when_it_was_ordered(world):
    till = await hub_takes(world, ppm=100_000)
    spender, payee = await sides(world)
    held = (await world.do(world.pay(spender, payee, 100, hold=60))).payment
    world.fees = {}
    await world.do(Capture(held.id, None))
    await world.do(world.pay(spender, payee, 100))
    assert await world.available(till) == 10


async def test_an_approved_payment_is_under_the_fee_of_its_order(world):
    till = await hub_takes(world, ppm=100_000)
    spender = await world.spender(1000, DAY, ask_above=50)
    payee = await world.account()
    asked = (await world.do(world.pay(spender, payee, 100))).payment
    assert asked.state is State.AWAITING
    world.fees = {}
    await world.do(AnswerAsk(asked.id, None, "approve"))
    assert [await world.available(a) for a in (payee, till)] == [90, 10]
    await audited(world)


async def test_a_refused_payment_takes_no_fee(world):
    till = await hub_takes(world, ppm=100_000)
    spender, payee = await sides(world, 50)
    refused = (await world.do(world.pay(spender, payee, 100))).payment
    assert (refused.state, read_fees(refused.fees)[0].units) == (State.REFUSED, 0)
    assert await world.available(till) == 0
    assert await events(world, Kind.FEE_TAKEN) == []
    await audited(world)


async def test_an_offer_gives_a_share_besides_the_hubs_and_never_more_than_there_is(world):
    till = await hub_takes(world, ppm=600_000)
    spender, payee = await sides(world)
    platform = await world.account()
    offer = await offer_of(world, payee, platform, ppm=300_000, minimum=2)
    await world.do(world.pay(spender, payee, 100, offer=offer))
    assert [await world.available(a) for a in (payee, till, platform)] == [10, 60, 30]
    await world.do(world.pay(spender, payee, 3, offer=offer))
    assert [await world.available(a) for a in (payee, till, platform)] == [10, 61, 32]
    await audited(world)


async def test_an_offer_of_somebody_else_is_no_offer_of_the_payees(world):
    spender, payee = await sides(world)
    other = await world.account()
    offer = await offer_of(world, other, await world.account(), ppm=1)
    for wrong in (offer, "off_00000000000000000000000000"):
        with pytest.raises(Missing) as raised:
            await world.do(world.pay(spender, payee, 100, offer=wrong))
        assert raised.value.code == "no-such-offer"


async def test_whoever_gets_the_fee_pays_none(world):
    till = await hub_takes(world, ppm=600_000)
    spender, _ = await sides(world)
    payment = (await world.do(world.pay(spender, till, 100))).payment
    assert (payment.fees, await world.available(till)) == ("", 100)


async def test_without_a_fee_a_payment_has_the_transfers_and_the_row_it_had(world):
    spender, payee = await sides(world)
    payment = (await world.do(world.pay(spender, payee, 100))).payment
    assert payment.fees == ""
    rows = await world.database.read(
        lambda tx: tx.rows("SELECT COUNT(*) FROM transfers WHERE code IN (12, 13)")
    )
    assert rows == [(0,)]


@pytest.mark.parametrize("hold", [0, 60])
async def test_a_frozen_fee_account_stops_no_payment_and_the_payee_keeps_the_fee(world, hold):
    till = await hub_takes(world, ppm=100_000)
    spender, payee = await sides(world)
    ordered = (await world.do(world.pay(spender, payee, 100, hold=60))).payment if hold else None
    await freeze(world, till)
    if ordered is None:
        ordered = (await world.do(world.pay(spender, payee, 100))).payment
    else:
        await world.do(Capture(ordered.id, None))
    [fee] = read_fees((await world.payment(ordered.id)).fees)
    assert (fee.units, fee.waived) == (0, True)
    assert await world.available(payee) == 100
    await freeze(world, till, "open")
    await world.do(refund(world, ordered.id))
    assert [await world.available(a) for a in (payee, till)] == [0, 0]
    await audited(world)


async def test_a_refund_returns_the_fee_in_proportion_and_the_last_one_all_of_it(world):
    till = await hub_takes(world, ppm=100_000)
    spender, payee = await sides(world)
    ident = (await world.do(world.pay(spender, payee, 70))).payment.id
    left = []
    for units in (5, 5, 15, 45):
        payment = (await world.do(refund(world, ident, units))).payment
        left.append((read_fees(payment.fees)[0].returned, await world.available(till)))
    assert left == [(0, 7), (1, 6), (2, 5), (7, 0)]
    assert [await world.available(a) for a in (spender.account, payee)] == [1000, 0]
    assert len(await events(world, Kind.FEE_RETURNED)) == 3
    await audited(world)


async def test_a_fee_that_is_kept_is_the_payees_loss_when_it_refunds(world):
    till = await hub_takes(world, ppm=100_000, on_refund="keep")
    spender, payee = await sides(world)
    ident = (await world.do(world.pay(spender, payee, 70))).payment.id
    unit = refund(world, ident)
    assert (await world.do(unit)).refund.state == "insufficient-seller-balance"
    await world.credit(payee, 7)
    assert (await world.do(unit)).refund.state == "done"
    assert [await world.available(a) for a in (payee, till)] == [0, 7]
    await audited(world)


@pytest.mark.parametrize("how", ["frozen", "spent"])
async def test_what_a_fee_account_cannot_return_now_comes_with_a_later_refund(world, how):
    """The payer's money does not wait for it."""
    spender, payee = await sides(world)
    taker = await world.spender(0, DAY)
    world.fees = {"USD": FeeTerms(of="hub", account=taker.account, ppm=500_000)}
    ident = (await world.do(world.pay(spender, payee, 100))).payment.id
    if how == "frozen":
        await freeze(world, taker.account)
    else:
        world.fees = {}
        await world.do(world.pay(taker, await world.account(), 45))
    first = await world.do(refund(world, ident, 40))
    back = 0 if how == "frozen" else 5
    assert (first.refund.state, read_fees(first.payment.fees)[0].returned) == ("done", back)
    if how == "frozen":
        await freeze(world, taker.account, "open")
    else:
        await world.credit(taker.account, 100)
    second = await world.do(refund(world, ident, 10))
    assert read_fees(second.payment.fees)[0].returned == 25
    await audited(world)


async def test_two_fees_of_one_account_share_what_it_can_return(world):
    spender, payee = await sides(world)
    taker = await world.spender(0, DAY)
    world.fees = {"USD": FeeTerms(of="hub", account=taker.account, ppm=300_000)}
    offer = await offer_of(world, payee, taker.account, ppm=300_000)
    ident = (await world.do(world.pay(spender, payee, 100, offer=offer))).payment.id
    world.fees = {}
    await world.do(world.pay(taker, await world.account(), 20))
    await world.credit(payee, 100)
    given = await world.do(refund(world, ident))
    assert [fee.returned for fee in read_fees(given.payment.fees)] == [30, 10]
    assert await world.available(taker.account) == 0
    await audited(world)


async def test_a_refund_that_the_payee_cannot_pay_returns_no_fee(world):
    till = await hub_takes(world, ppm=100_000)
    spender, payee = await sides(world)
    ident = (await world.do(world.pay(spender, payee, 100))).payment.id
    seller = await world.device(payee, (await world.mandate(await _owner(world, payee))).id)
    world.fees = {}
    await world.do(world.pay(seller, await world.account(), 50))
    unit = refund(world, ident)
    for _ in range(2):
        assert (await world.do(unit)).refund.state == "insufficient-seller-balance"
        assert await world.available(till) == 10
    await world.credit(payee, 50)
    assert (await world.do(unit)).refund.state == "done"
    assert [await world.available(a) for a in (payee, till)] == [0, 0]
    await audited(world)


async def _owner(world, account):
    return (await world.record(ACCOUNTS, account)).owner


async def test_a_session_in_many_deposits_rounds_its_fee_once(world):
    till = await hub_takes(world, ppm=10_000, flat=2, rounding="up")
    own = Drawer(world, *(await sides(world)))
    session = await own.open(33)
    for _ in range(4):
        await own.top_up(session, 33)
    session = await world.record(SESSIONS, session.id)
    await world.do(own.draw(session, 150))
    closed = await own.close(session)
    assert closed.captured == 150
    # 1 % of 150 and 2: not of each deposit, which would be 5 times 3.
    assert [await world.available(a) for a in (own.payee, till)] == [146, 4]
    await audited(world)


async def test_deposits_settled_in_any_order_give_the_same_and_none_is_stuck(world):
    till = await hub_takes(world, ppm=500_000, minimum=40)
    own = Drawer(world, *(await sides(world)))
    session = await own.open(30)
    for _ in range(2):
        await own.top_up(session, 30)
    session = await world.record(SESSIONS, session.id)
    await world.do(own.draw(session, 70))
    await world.do(CloseSession(session.id, None))
    for deposit in (session.deposits[2], session.deposits[0]):
        await world.do(SettleDeposit(deposit))
    await audited(world)
    await freeze(world, till)
    await world.do(SettleDeposit(session.deposits[1]))
    gave = [read_fees((await world.payment(p)).fees)[0] for p in session.deposits]
    assert [(fee.units, fee.waived) for fee in gave] == [(30, False), (0, True), (0, False)]
    assert await world.available(own.payee) == 40
    await audited(world)


async def test_a_session_is_under_the_terms_of_its_opening(world):
    till = await hub_takes(world, ppm=100_000)
    own = Drawer(world, *(await sides(world)))
    session = await own.open(50)
    world.fees = {"USD": FeeTerms(of="hub", account=till, ppm=900_000)}
    await own.top_up(session, 50)
    session = await world.record(SESSIONS, session.id)
    await world.do(own.draw(session, 100))
    await own.close(session)
    assert await world.available(till) == 10
    await audited(world)


async def test_a_closed_fee_account_leaves_no_session_stuck(world):
    till = await hub_takes(world, ppm=100_000)
    own = Drawer(world, *(await sides(world)))
    session = await own.open(50)
    await freeze(world, till, "closed")
    await world.do(own.draw(session, 50))
    assert (await own.close(session)).unsettled == 0
    assert await world.available(own.payee) == 50
    await audited(world)


async def test_an_offers_fee_goes_to_another_account_of_the_same_asset(world):
    payee = await world.account()
    with pytest.raises(Conflict) as raised:
        await offer_of(world, payee, payee, ppm=1)
    assert raised.value.code == "same-account"
    with pytest.raises(Missing):
        await offer_of(world, payee, "acc_00000000000000000000000000", ppm=1)


async def test_postings_are_followed_back_slice_by_slice_and_are_all_that_was_posted(world):
    await hub_takes(world, ppm=25_000, flat=3)
    spender, payee = await sides(world, 100_000)
    for amount in (400, 500):
        paid = (await world.do(world.pay(spender, payee, amount))).payment
    held = (await world.do(world.pay(spender, payee, 700, hold=60))).payment
    await world.do(Capture(held.id, None, 650))
    released = (await world.do(world.pay(spender, payee, 900, hold=60))).payment
    await world.do(Void(released.id, None))
    await world.do(world.pay(spender, payee, 30, hold=60))
    await world.do(refund(world, paid.id, 200))

    def read(tx):
        number = ids.number("acc", payee)
        newest = newest_transfer(tx, number)
        whole, found, at = postings(tx, number, newest, 100), [], newest
        while at:
            some = postings(tx, number, at, 1)
            found, at = found + some.postings, some.older
        return whole, found

    whole, found = await world.database.read(read)
    assert (whole.older, found) == (0, whole.postings)
    assert [one.units for one in whole.postings] == [-200, 6, -19, 650, -15, 500, -13, 400]
    assert {one.line for one in found} == {Line.SALES, Line.FEES, Line.FEES_BACK, Line.REFUNDS}
    assert found[0].subject == ids.number("pay", paid.id)
