"""Deposits of a closed session: the first are used first, and what is left goes back."""

import msgspec
import pytest

from farthing import ids
from farthing.core.closing import SettleDeposit, deposits_of, share_of, shares
from farthing.core.events import EVENTS, Kind
from farthing.core.fees import Fee, read_fees, write_fees
from farthing.core.ledger import Account, AccountFlags, TransferFlags, TransferResult
from farthing.core.payments import PAYMENTS, Payment, Place, State, statement
from farthing.core.sessions import SESSIONS, Opening, Phase, Session, top_up_resource
from farthing.errors import Conflict, InvariantBroken
from tests.core.session_rows import NUMBER, SESSION, change
from tests.core.shown import Shown

PAYER, PAYEE, FEES = (ids.name("acc", i << 8) for i in (1, 2, 3))
FEE = Fee(of="hub", account=FEES, owner="own_3", ppm=100_000)
OPENING = Opening(bytes(32), 60, 0, "GET /a").resource()


def deposit(number: int, amount: int, resource: str = top_up_resource(SESSION.id)) -> Payment:
    return Payment(
        id=ids.name("pay", number), state=State.HELD, reason="", owner="own_1", payer=PAYER,
        device="dev_1", payee_owner="own_2", payee=PAYEE, asset="USD", ledger=1, amount=amount,
        captured=0, refunded=0, category="", resource=resource, challenge=None, nonce="n",
        order_digest=bytes(32), signing_key="k", expires=0, hub="h", wants_capture=False,
        hold_seconds=0, claim="", budgets=1, hold_ends_ns=0, ask_ends_ns=0, ask="", delivery="",
        created_ns=0, changed_ns=0, leaf=0,
    )  # fmt: skip


DEPOSITS = [deposit(NUMBER, 60, OPENING), deposit(NUMBER + 256, 40), deposit(NUMBER + 512, 30)]
MADE = [[TransferResult.CREATED] * 9]


def closed(captured: int, fees: str = "") -> tuple[Shown, Session]:
    session = change(
        SESSION,
        state=Phase.CLOSED,
        captured=captured,
        unsettled=3,
        deposits=[one.id for one in DEPOSITS],
    )
    rows = [(PAYMENTS, change(one, fees=fees)) for one in DEPOSITS]
    view = Shown(77, (SESSIONS, session), *rows)
    view.accounts = {i << 8: Account(i << 8, 1, 10) for i in (1, 2, 3)}
    return view, session


@pytest.mark.parametrize(
    ("captured", "found"),
    [(0, [0, 0, 0]), (60, [60, 0, 0]), (61, [60, 1, 0]), (130, [60, 40, 30])],
)
def test_the_first_deposits_are_used_first(captured, found):
    view, session = closed(captured)
    assert deposits_of(view, session) == DEPOSITS
    assert shares(session, DEPOSITS) == found
    assert [share_of(view, session, one) for one in DEPOSITS] == found


def settle(view: Shown, place: int):
    return SettleDeposit(DEPOSITS[place].id).plan(view)


def test_a_deposits_share_is_captured():
    view, session = closed(75)
    plan = settle(view, 1)
    [[budget, money]] = plan.chains
    assert (money.amount, money.id) == (15, ids.place(NUMBER + 256, Place.CAPTURE))
    assert money.pending_id == ids.place(NUMBER + 256, Place.HOLD)
    assert money.flags == TransferFlags.POST_PENDING
    assert (budget.amount, budget.id) == (15, ids.place(NUMBER + 256, Place.CAPTURE + 1))
    done = plan.then(MADE)
    assert done.answer == change(
        DEPOSITS[1], state=State.CAPTURED, captured=15, changed_ns=77, leaf=7
    )
    rows = {write.table.name: write.row for write in done.writes}
    assert rows[PAYMENTS.name] == done.answer
    assert rows[SESSIONS.name] == change(session, unsettled=2)
    assert (done.subject, done.statement) == (NUMBER + 256, statement(done.answer))


def test_a_deposit_that_was_not_used_goes_back():
    view, session = closed(60)
    plan = settle(view, 1)
    [[_, money]] = plan.chains
    assert (money.amount, money.flags) == (0, TransferFlags.VOID_PENDING)
    assert money.id == ids.place(NUMBER + 256, Place.VOID)
    done = plan.then(MADE)
    assert done.answer == change(
        DEPOSITS[1], state=State.VOIDED, reason="session-closed", changed_ns=77, leaf=7
    )
    assert change(session, unsettled=2) in [write.row for write in done.writes]


def test_fees_take_of_the_whole_that_was_captured():
    view, _ = closed(75, write_fees([FEE]))
    plan = settle(view, 1)
    [chain] = plan.chains
    fee = chain[-1]
    assert (fee.amount, fee.credit_account_id, fee.debit_account_id) == (1, 3 << 8, 2 << 8)
    assert [bool(t.flags & TransferFlags.LINKED) for t in chain] == [True, True, False]
    done = plan.then(MADE)
    assert read_fees(done.answer.fees) == (msgspec.structs.replace(FEE, units=1),)
    told = [write.row for write in done.writes if write.table is EVENTS]
    assert (told[-1].owner, told[-1].kind) == ("own_3", Kind.FEE_TAKEN)
    assert (told[-1].body["units"], told[-1].body["of"]) == ("1", "hub")


def test_what_goes_back_is_free_of_fees_and_keeps_their_terms():
    text = write_fees([FEE])
    plan = settle(closed(60, text)[0], 1)
    assert len(plan.chains[0]) == 2
    assert plan.then(MADE).answer.fees == text


@pytest.mark.parametrize("frozen", [1, 2])
def test_a_frozen_account_is_waited_for_where_money_moves(frozen):
    view, _ = closed(75)
    view.accounts[frozen << 8] = Account(frozen << 8, 1, 10, int(AccountFlags.CLOSED))
    with pytest.raises(Conflict) as raised:
        settle(view, 1)
    assert raised.value.code == "account-frozen"
    assert settle(view, 2).then(MADE).answer.state is State.VOIDED


def test_what_is_settled_or_still_open_is_left_as_it_is():
    view, session = closed(75)
    view.rows[SESSIONS.name, session.id] = change(session, state=Phase.OPEN)
    left = settle(view, 0)
    assert left.answer == DEPOSITS[0] and not left.writes
    view, _ = closed(75)
    done = change(DEPOSITS[0], state=State.CAPTURED)
    view.rows[PAYMENTS.name, done.id] = done
    assert settle(view, 0).answer is done and not settle(view, 0).writes
    unit = SettleDeposit(done.id)
    assert [read.key for read in unit.reads] == [done.id] and unit.accounts == ()


def test_a_deposit_ends_by_its_session_alone():
    with pytest.raises(InvariantBroken):
        settle(closed(75)[0], 0).then([[TransferResult.PENDING_TRANSFER_EXPIRED]])
