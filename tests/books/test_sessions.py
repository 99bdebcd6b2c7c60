"""Sessions: a deposit is held once, vouchers draw it, and every way out is exact."""

import itertools
import random

import pytest

from farthing.clock import NS
from farthing.core.answers import AnswerAsk
from farthing.core.closing import CloseSession, EndSession, SettleDeposit
from farthing.core.devices import RevokeDevice
from farthing.core.mandates import Budget
from farthing.core.payments import State
from farthing.core.refunds import GiveBack
from farthing.core.sessions import SESSIONS, EndedBy, Phase
from farthing.core.settling import Capture, Void
from farthing.errors import Conflict, Malformed, Missing, PaymentRefused
from farthing.testing.drawing import HOUR, Drawer

DAY = Budget(name="day", per="day", limit=1000)


async def drawer(world, money=1000, **terms) -> Drawer:
    return Drawer(world, await world.spender(money, DAY, **terms), await world.account())


async def refused(world, unit, code, error=PaymentRefused):
    with pytest.raises(error) as raised:
        await world.do(unit)
    assert raised.value.code == code
    return raised.value


async def test_a_session_is_opened_drawn_and_closed_and_the_rest_comes_back(world):
    own = await drawer(world)
    session = await own.open(500)
    assert (session.state, session.deposit, session.units) == (Phase.OPEN, 500, 0)
    assert await world.available(own.spender.account) == 500
    for units in (1, 40, 77):
        assert (await world.do(own.draw(session, units))).units == units
    assert await world.available(own.payee) == 0
    closed = await own.close(session)
    assert (closed.captured, closed.unsettled, closed.ended_by) == (77, 0, EndedBy.PAYEE)
    assert await world.available(own.payee) == 77
    assert await world.available(own.spender.account) == 923
    assert await world.budget(own.spender.device.mandate, "day") == (923, 77)
    payment = await world.payment(closed.deposits[0])
    assert (payment.state, payment.captured) == (State.CAPTURED, 77)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.rule("session.monotone", on="hub")
async def test_lost_doubled_and_reordered_vouchers_do_no_harm(world, seed):
    own, dice = await drawer(world), random.Random(seed)
    session = await own.open(500)
    sent = [own.draw(session, n * 10, n) for n in range(1, 21)]
    lost = dice.sample(sent[:-1], 5)
    arrived = [u for u in sent if u not in lost] * 2
    dice.shuffle(arrived)
    highest = 0
    for unit, done in zip(arrived, await world.do_all(arrived), strict=True):
        if unit.promise.units < highest:
            assert isinstance(done, Conflict)
            assert done.code == "voucher-superseded"
            assert done.more["promised"] == str(highest)
        else:
            highest = unit.promise.units
            assert done.answer.units == highest
    assert (await own.close(session)).captured == 200


@pytest.mark.rule("session.monotone", on="hub")
async def test_an_equal_voucher_is_a_yes_also_with_another_signature_and_sequence(world):
    own = await drawer(world)
    session = await own.open(500)
    first = await world.do(own.draw(session, 30, 1))
    assert await world.do(own.draw(session, 30, 2)) == first


async def test_no_voucher_draws_beyond_the_deposit_until_it_is_topped_up(world):
    own = await drawer(world)
    session = await own.open(100)
    error = await refused(world, own.draw(session, 101), "voucher-beyond-deposit")
    assert error.more["deposit"] == "100"
    await own.top_up(session, 50)
    await own.top_up(session, 60)
    assert (await world.do(own.draw(session, 180))).deposit == 210
    closed = await own.close(session)
    shares = [(await world.payment(p)).captured for p in closed.deposits]
    assert (shares, closed.unsettled) == ([100, 50, 30], 0)
    assert await world.available(own.payee) == 180
    assert await world.available(own.spender.account) == 820


async def test_what_was_not_drawn_of_a_topped_up_session_is_released_whole(world):
    own = await drawer(world)
    session = await own.open(100)
    await own.top_up(session, 50)
    await world.do(own.draw(session, 100))
    closed = await own.close(session)
    states = [(await world.payment(p)).state for p in closed.deposits]
    assert states == [State.CAPTURED, State.VOIDED]
    assert await world.budget(own.spender.device.mandate, "day") == (900, 100)


async def test_a_session_nobody_drew_is_released_and_costs_nothing(world):
    own = await drawer(world)
    closed = await own.close(await own.open(500))
    assert (await world.payment(closed.deposits[0])).state is State.VOIDED
    assert await world.available(own.spender.account) == 1000


@pytest.mark.rule("session.close", on="hub")
async def test_a_payee_may_take_less_than_was_promised_and_never_more(world):
    own = await drawer(world)
    session = await own.open(500)
    await world.do(own.draw(session, 80))
    await refused(
        world, CloseSession(session.id, session.payee_owner, 81), "capture-too-large", Malformed
    )
    assert (await own.close(session, 60)).captured == 60
    assert (await own.close(session, 60)).captured == 60
    await refused(
        world, CloseSession(session.id, session.payee_owner, 61), "session-closed", Conflict
    )
    await refused(world, own.draw(session, 90), "session-closed", Conflict)
    assert await world.available(own.payee) == 60


async def test_a_deposit_is_nobodys_to_charge_capture_or_void(world):
    own = await drawer(world)
    unit = own.opening(100)
    charge = world.authorise(own.spender, unit.signed)
    await refused(world, charge, "wrong-purpose")
    session = await own.open(100)
    [deposit] = session.deposits
    await refused(world, Capture(deposit, session.payee_owner), "session-deposit", Conflict)
    await refused(world, Void(deposit, session.payee_owner), "session-deposit", Conflict)
    await refused(world, world.authorise(own.spender, own.opening(5).signed), "wrong-purpose")
    plain = own.deposit("GET /readings", 5)
    await refused(world, plain, "wrong-purpose")
    assert await world.available(own.payee) == 0


async def test_opening_again_with_the_same_order_is_the_same_session(world):
    own = await drawer(world)
    unit = own.opening(100)
    first, again = await world.do(unit), await world.do(unit)
    assert first.payment == again.payment
    assert await world.available(own.spender.account) == 900


async def test_its_payer_ends_it_and_its_payee_hands_in_what_it_has(world):
    own = await drawer(world)
    session = await own.open(500)
    await world.do(own.draw(session, 10))
    ended = await world.do(EndSession(session.id, session.owner))
    assert ended.ended_by is EndedBy.PAYER
    await refused(world, own.draw(session, 20), "session-over")
    assert (await world.do(own.draw(session, 20, late=True))).units == 20
    refusal = (await own.top_up(session, 5)).payment
    assert (refusal.state, refusal.reason) == (State.REFUSED, "session-over")
    world.clock.move(HOUR + 1)
    await refused(world, own.draw(session, 30, late=True), "session-over")
    closed = await world.do(CloseSession(session.id, None, due=True))
    assert (closed.captured, closed.ended_by) == (20, EndedBy.PAYER)


async def test_time_closes_it_with_what_was_handed_in_and_not_before(world):
    own = await drawer(world)
    session = await own.open(500, lifetime=100, grace=50)
    await world.do(own.draw(session, 10))
    due = CloseSession(session.id, None, due=True)
    world.clock.move(101)
    await refused(world, own.draw(session, 20), "session-over")
    assert (await world.do(own.draw(session, 20, late=True))).units == 20
    assert (await world.do(due)).state is Phase.OPEN
    world.clock.move(50)
    closed = await world.do(due)
    assert (closed.state, closed.captured, closed.ended_by) == (Phase.CLOSED, 20, EndedBy.TIME)
    await world.do(SettleDeposit(closed.deposits[0]))
    assert await world.available(own.spender.account) == 980


async def test_the_ledger_never_releases_a_deposit_by_itself(world):
    own = await drawer(world)
    session = await own.open(500, lifetime=100, grace=0)
    world.clock.move(400 * 86400)
    await world.account()
    assert await world.available(own.spender.account) == 500
    closed = await own.close(session)
    assert (closed.captured, await world.available(own.spender.account)) == (0, 1000)


async def test_only_its_payee_closes_and_only_its_payer_ends(world):
    own, stranger = await drawer(world), await world.owner()
    session = await own.open(500)
    close, end = (
        CloseSession(session.id, session.owner),
        EndSession(session.id, session.payee_owner),
    )
    other = EndSession(session.id, session.owner, "dev_other")
    for unit in (
        close,
        end,
        other,
        CloseSession(session.id, stranger),
        EndSession(session.id, stranger),
    ):
        await refused(world, unit, "no-such-session", Missing)


async def test_revoking_the_device_stops_draws_at_once_and_lets_in_what_was_accepted(world):
    own = await drawer(world)
    session = await own.open(500)
    await world.do(own.draw(session, 10))
    await world.do(RevokeDevice(own.spender.device.id, None))
    await refused(world, own.draw(session, 20), "session-revoked")
    assert (await world.do(own.draw(session, 20, late=True))).units == 20
    world.clock.move(HOUR + 1)
    await refused(world, own.draw(session, 30, late=True), "session-revoked")
    refusals = [world.do(own.opening(5)), own.top_up(session, 5)]
    for doing in refusals:
        with pytest.raises(PaymentRefused):
            await doing
    assert (await own.close(session)).captured == 20


async def test_revoking_the_mandate_stops_draws_too(world):
    own = await drawer(world)
    session = await own.open(500)
    await world.do(world.revoke(own.spender.device.mandate))
    await refused(world, own.draw(session, 10), "session-revoked")


async def test_an_expired_voucher_is_good_for_nothing_new(world):
    own = await drawer(world)
    session = await own.open(500)
    soon = world.clock.now + 10
    assert (await world.do(own.draw(session, 5, expiry=soon))).units == 5
    world.clock.move(10)
    await refused(world, own.draw(session, 6, expiry=soon), "voucher-expired")
    assert (await world.do(own.draw(session, 6, expiry=soon, late=True))).units == 6


async def test_a_deposit_is_a_commitment_that_rules_budgets_and_balance_judge(world):
    own = await drawer(world, largest=600)
    for amount, reason in ((601, "mandate-largest"),):
        assert (await world.do(own.opening(amount))).payment.reason == reason
    await own.open(600)
    over = (await world.do(own.opening(500))).payment
    assert over.reason == "mandate-budget:day"


async def test_an_owner_who_is_asked_opens_it_by_saying_yes(world):
    own = await drawer(world, ask_above=50)
    asked = (await world.do(own.opening(100))).payment
    assert asked.state is State.AWAITING
    held = (await world.do(AnswerAsk(asked.id, asked.owner, "approve"))).payment
    session = await own.session(await world.do(AnswerAsk(asked.id, asked.owner, "approve")))
    assert (held.state, session.deposit) == (State.HELD, 100)
    assert (await world.do(own.draw(session, 60))).units == 60


async def test_a_top_up_approved_after_the_end_is_refused_and_holds_nothing(world):
    own = await drawer(world, ask_above=50)
    session = await own.open(50)
    asked = (await own.top_up(session, 100)).payment
    await own.close(session)
    done = (await world.do(AnswerAsk(asked.id, asked.owner, "approve"))).payment
    assert (done.state, done.reason) == (State.REFUSED, "session-over")
    assert await world.available(own.spender.account) == 1000


@pytest.mark.rule("session.top-up", on="hub")
async def test_a_session_tops_up_by_its_own_device_and_payee_alone(world):
    own = await drawer(world)
    session = await own.open(50)
    other = Drawer(world, await world.spender(100), own.payee)
    elsewhere = Drawer(world, own.spender, await world.account())
    for wrong in (other, elsewhere):
        refusal = (await wrong.top_up(session, 5)).payment
        assert (refusal.state, refusal.reason) == (State.REFUSED, "no-such-session")
    assert (await world.record(SESSIONS, session.id)).deposit == 50


async def test_it_takes_no_more_deposits_than_it_can_settle_in_one_go(world):
    own = await drawer(world)
    session = await own.open(5)
    reasons = [(await own.top_up(session, 5)).payment.reason for _ in range(16)]
    assert reasons == [""] * 14 + ["session-full"] * 2


async def test_frozen_accounts_close_later_and_nothing_is_lost(world):
    from farthing.core.accounts import SetAccountState

    own = await drawer(world)
    session = await own.open(500)
    await world.do(own.draw(session, 80))
    await world.do(SetAccountState(own.spender.account, None, "frozen", world.fresh()))
    await refused(world, own.draw(session, 90), "account-frozen")
    closed = await world.do(CloseSession(session.id, session.payee_owner))
    await refused(world, SettleDeposit(closed.deposits[0]), "account-frozen", Conflict)
    await world.do(SetAccountState(own.spender.account, None, "open", world.fresh()))
    await world.do(SettleDeposit(closed.deposits[0]))
    assert (await world.record(SESSIONS, session.id)).unsettled == 0
    assert await world.available(own.payee) == 80


async def test_what_a_session_took_can_be_refunded(world):
    own = await drawer(world)
    session = await own.open(500)
    await world.do(own.draw(session, 80))
    closed = await own.close(session)
    refund = f"ref_{'0' * 26}"
    await world.do(GiveBack(refund, closed.deposits[0], session.payee_owner, 30, "sorry"))
    assert await world.available(own.spender.account) == 950


async def test_a_closed_session_is_stated_once_with_its_receipts(world):
    own = await drawer(world)
    session = await own.open(500)
    await world.do(own.draw(session, 80))
    done = await world.books.commit_one(CloseSession(session.id, session.payee_owner))
    assert b'"kind":"session"' in done.proof.statement
    assert b'"captured":"80"' in done.proof.statement
    again = await world.books.commit_one(CloseSession(session.id, session.payee_owner))
    assert again.proof is None


async def test_two_thousand_draws_in_any_order_commit_together(world):
    own = await drawer(world)
    session = await own.open(900)
    units = [own.draw(session, 1 + n % 900, n) for n in range(600)]
    random.Random(3).shuffle(units)
    await world.do_all(units)
    highest = max(u.promise.units for u in units)
    assert (await world.record(SESSIONS, session.id)).units == highest


async def test_sessions_of_one_device_do_not_touch_each_other(world):
    own = await drawer(world)
    first, second = await own.open(100), await own.open(100)
    await world.do(own.draw(first, 10))
    await world.do(own.draw(second, 20))
    taken = [(await own.close(s)).captured for s in (first, second)]
    assert taken == [10, 20]
    assert len(set(itertools.chain(first.deposits, second.deposits))) == 2
    assert first.alias != second.alias
    assert first.ends_ns == first.created_ns + HOUR * NS
