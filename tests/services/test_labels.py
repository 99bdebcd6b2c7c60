"""What was told of payments later, as the history has it, and as models learn from it."""

from dataclasses import dataclass

from farthing import ids
from farthing.clock import NS
from farthing.core.answers import AnswerAsk
from farthing.core.decisions import Outcome
from farthing.core.events import EVENTS, PER_LEAF, Event
from farthing.core.records import Write
from farthing.core.refunds import GiveBack
from farthing.risk.traits import NAMES
from farthing.services.learning import SOURCES, rows, seen
from farthing.store.labels import Label, labels
from tests.services.test_backtest import NOON_NS, past


async def told(world, **where):
    return await world.database.read(lambda tx: list(labels(tx, **where)))


async def denied(world):
    spender, payee = await world.spender(1000, ask_above=10), await world.account()
    payment = (await world.do(world.pay(spender, payee, 40))).payment
    await world.do(AnswerAsk(payment.id, None, "deny"))
    return payment


async def test_what_an_owner_denied_is_told_to_be_bad(world):
    payment = await denied(world)
    [label] = await told(world)
    assert (label.payment, label.bad, label.source) == (payment.id, True, "denied")
    assert label.at == world.clock() // NS


async def test_what_was_refused_for_want_of_money_is_no_label(world):
    spender, payee = await world.spender(5), await world.account()
    await world.do(world.pay(spender, payee, 40))
    assert await told(world) == []


async def test_money_that_was_given_back_is_a_label_of_its_own_kind(world):
    spender, payee = await world.spender(100), await world.account()
    payment = (await world.do(world.pay(spender, payee, 40))).payment
    await world.do(GiveBack(ids.name("ref", world.fresh()), payment.id, None, 10, ""))
    assert [(one.payment, one.source) for one in await told(world)] == [(payment.id, "refunded")]
    assert "refunded" not in SOURCES


async def test_labels_of_some_leaves_are_those_of_their_events(world):
    first, second = await denied(world), await denied(world)
    end = (await world.database.read(lambda tx: tx.rows("SELECT MAX(number) FROM leaves")))[0][0]
    assert [one.payment for one in await told(world, after=end - 1)] == [second.id]
    assert [one.payment for one in await told(world, after=0, end=end)] == [first.id]
    assert await told(world, after=end) == []


@dataclass(frozen=True)
class Decided:
    """A case's decision, as its event says it."""

    payment: str
    verdict: str
    reads = ()
    accounts = ()

    def plan(self, view):
        body = {"payment": self.payment, "verdict": self.verdict, "reason": "", "by": "key_1"}
        number, owner = view.leaf * PER_LEAF, ids.name("own", 256)
        event = Event(number, owner, "case.decided", ids.name("cas", 256), view.now_ns, body)
        return Outcome(None, [Write(EVENTS, event)], 256, b"{}")


async def test_a_verdict_is_a_label_and_one_that_is_unclear_is_none(world):
    payments = [ids.name("pay", n << 8) for n in range(1, 4)]
    for payment, verdict in zip(payments, ["fraud", "legitimate", "unclear"], strict=True):
        await world.do(Decided(payment, verdict))
    found = await told(world)
    assert [(one.payment, one.bad) for one in found] == [(payments[0], True), (payments[1], False)]
    assert {one.source for one in found} == {"case"}


DAY = 86_400


def test_an_order_is_seen_by_what_was_told_when_it_came():
    orders = [past(0), past(1 * DAY), past(12 * DAY)]
    label = Label("pay_0", bad=True, at=NOON_NS // NS + 2 * DAY, source="denied")
    found = list(rows(orders, [label], since=0))
    bad = NAMES.index("bad_known")
    assert [row.traits[bad] for row in found] == [0, 0, 1]
    assert [row.payment for row in found] == ["pay_0", "pay_86400", "pay_1036800"]


def test_what_came_before_is_remembered_and_gives_no_row():
    orders = [past(0), past(60), past(120)]
    found = list(rows(orders, [], since=NOON_NS // NS + 100))
    assert [row.traits[NAMES.index("hour_payments")] for row in found] == [2]


def test_an_order_that_was_refused_is_seen_and_makes_no_habit():
    orders = [past(0, state="refused"), past(60)]
    found = list(rows(orders, [], since=0))
    assert [row.traits[NAMES.index("hour_payments")] for row in found] == [0, 0]


async def test_models_learn_from_the_newest_orders_with_what_was_told_of_them(world):
    payment = await denied(world)
    spender, payee = await world.spender(1000), await world.account()
    for _ in range(3):
        world.clock.move(60)
        await world.do(world.pay(spender, payee, 1))
    now = payment.created_ns // NS
    learnt = await world.database.read(lambda tx: seen(tx, 0, now + 10**6))
    assert (len(learnt), learnt.bad, learnt.labels) == (
        4,
        [True, False, False, False],
        {"denied": 1},
    )
    fewer = await world.database.read(lambda tx: seen(tx, 0, now + 10**6, rows_max=2))
    assert fewer.at == learnt.at[-2:]
    none = await world.database.read(lambda tx: seen(tx, 0, now + 10**6, sources=()))
    assert not any(none.bad)
    before = await world.database.read(lambda tx: seen(tx, 0, now + 61))
    assert len(before) < 4
