"""What is flagged has a case, in the same commit; people say what it was, once, alone or by two."""

import pytest

from farthing.core.cases import CASES, STEPS_MAX, DecideCase, Standing, Verdict, case_name, opened
from farthing.core.owners import OPERATOR_OWNER
from farthing.core.payments import State
from farthing.errors import Conflict, Malformed, Missing
from farthing.services.cases import BEFORE, LATER, case_file
from farthing.store.cases import Label, labels, waiting
from farthing.store.migrate import migrations
from farthing.store.queries import events_after, one, page

from .test_judged import ASKS, known

FRAUD, LEGITIMATE = Verdict.FRAUD, Verdict.LEGITIMATE


@pytest.fixture
def risk():
    return ASKS


async def flagged(world, units=10, **terms):
    """Make a payment that is odd: to somebody whom its device never paid."""
    spender, _ = await known(world, **terms)
    return (await world.do(world.pay(spender, await world.account(), units))).payment


async def case_of(world, payment):
    return await world.database.read(lambda tx: one(tx, CASES, case_name(payment)))


async def every(world):
    return await world.database.read(lambda tx: page(tx, CASES, {}, limit=500))


def decide(payment, verdict=FRAUD, by="per_ada", reason="it never paid there", **how):
    return DecideCase(case_name(payment), verdict, reason, by, **how)


async def said(world):
    events = await world.database.read(lambda tx: events_after(tx, OPERATOR_OWNER, 0, 500))
    return [(event.kind, event.subject, event.body) for event in events]


async def test_what_is_asked_about_and_what_is_refused_have_a_case_and_nothing_else_has(world):
    spender, seller = await known(world)
    asked = world.pay(spender, await world.account(), 10)
    world.clock.move(1)
    refused = world.pay(spender, await world.account(), 1000)
    payments = [(await world.do(unit)).payment for unit in (asked, refused, asked)]
    assert [one.state for one in payments] == [State.AWAITING, State.REFUSED, State.AWAITING]
    await world.do(world.pay(spender, seller, 10))
    assert await every(world) == [opened(payments[1]), opened(payments[0])]
    assert await world.database.read(waiting) == {"open": 2, "proposed": 0}


async def test_a_decision_has_a_reason_and_is_an_event_of_the_operators(world):
    payment = await flagged(world)
    case = await world.do(decide(payment))
    assert (case.state, case.verdict, case.decided_by) == (Standing.DECIDED, FRAUD, "per_ada")
    assert case == await case_of(world, payment)
    [step] = case.steps
    assert (step.reason, step.at_ns) == ("it never paid there", case.changed_ns)
    [(kind, subject, body)] = await said(world)
    assert (kind, subject) == ("case.decided", case.id)
    assert body == {
        "payment": payment.id,
        "verdict": "fraud",
        "reason": "it never paid there",
        "by": "per_ada",
    }
    assert await world.database.read(lambda tx: list(labels(tx))) == [
        Label(payment.id, "fraud", "per_ada", case.changed_ns)
    ]
    assert await world.database.read(waiting) == {"open": 0, "proposed": 0}


async def test_what_is_decided_moves_no_money(world):
    payment = await flagged(world)
    before = await world.database.read(lambda tx: tx.rows("SELECT state FROM payments ORDER BY id"))
    await world.do(decide(payment))
    assert before == await world.database.read(
        lambda tx: tx.rows("SELECT state FROM payments ORDER BY id")
    )


async def test_the_same_again_changes_nothing_and_something_else_is_a_conflict(world):
    payment = await flagged(world)
    first = await world.do(decide(payment))
    assert await world.do(decide(payment)) == first
    with pytest.raises(Conflict, match="per_ada has decided that this is fraud") as late:
        await world.do(decide(payment, LEGITIMATE, by="per_bob"))
    assert late.value.code == "case-decided"
    with pytest.raises(Conflict, match="per_ada"):  # Whose reason would be lost.
        await world.do(decide(payment, by="per_bob"))
    assert await case_of(world, payment) == first
    assert len(await said(world)) == 1


async def test_of_two_who_decide_at_once_one_is_heard_and_the_other_is_told_so(world):
    payment = await flagged(world)
    units = [decide(payment), decide(payment, LEGITIMATE, by="per_bob")]
    first, second = await world.do_all(units)
    assert (first.answer.verdict, second.code) == (FRAUD, "case-decided")
    assert [body["verdict"] for _, _, body in await said(world)] == ["fraud"]


async def test_a_mistake_is_decided_anew_and_both_are_kept(world):
    payment = await flagged(world)
    await world.do(decide(payment))
    case = await world.do(decide(payment, LEGITIMATE, by="per_bob", reason="a new till", anew=True))
    assert (case.verdict, case.decided_by) == ("legitimate", "per_bob")
    assert [step.verdict for step in case.steps] == ["fraud", "legitimate"]
    found = await world.database.read(lambda tx: list(labels(tx)))
    assert [one.verdict for one in found] == ["legitimate"]


async def test_of_one_case_not_everything_is_said_without_end(world):
    payment = await flagged(world)
    for number in range(STEPS_MAX):
        verdict = LEGITIMATE if number % 2 else FRAUD
        case = await world.do(decide(payment, verdict, anew=True))
    assert len(case.steps) == STEPS_MAX
    with pytest.raises(Conflict) as closed:
        await world.do(decide(payment, Verdict.UNCLEAR, anew=True))
    assert closed.value.code == "case-closed"


@pytest.mark.parametrize(
    "reason, code", [(" \n", "reason-missing"), ("x" * 1001, "reason-too-long")]
)
async def test_a_reason_is_a_sentence(world, reason, code):
    payment = await flagged(world)
    with pytest.raises(Malformed) as wrong:
        await world.do(decide(payment, reason=reason))
    assert wrong.value.code == code
    assert await case_of(world, payment) == opened(payment)


async def test_what_was_not_flagged_has_no_case_to_decide(world):
    spender, seller = await known(world)
    payment = (await world.do(world.pay(spender, seller, 10))).payment
    with pytest.raises(Missing):
        await world.do(decide(payment))


class TestFourEyes:
    """It takes two people who say the same."""

    async def test_the_first_proposes_and_another_decides(self, world):
        payment = await flagged(world)
        first = await world.do(decide(payment, four_eyes=True))
        assert (first.state, first.proposed_by, first.decided_by) == ("proposed", "per_ada", "")
        assert await world.database.read(lambda tx: list(labels(tx))) == []
        assert await world.database.read(waiting) == {"open": 0, "proposed": 1}
        assert await world.do(decide(payment, four_eyes=True)) == first  # Oneself is no other.
        second = await world.do(decide(payment, four_eyes=True, by="per_bob", reason="so do I"))
        assert (second.state, second.proposed_by, second.decided_by) == (
            "decided",
            "per_ada",
            "per_bob",
        )
        kinds = [(kind, body["by"], body.get("proposed_by")) for kind, _, body in await said(world)]
        assert kinds == [("case.proposed", "per_ada", None), ("case.decided", "per_bob", "per_ada")]

    async def test_who_thinks_otherwise_proposes_that_instead(self, world):
        payment = await flagged(world)
        await world.do(decide(payment, four_eyes=True))
        case = await world.do(decide(payment, LEGITIMATE, by="per_bob", four_eyes=True))
        assert (case.state, case.proposed_by) == ("proposed", "per_bob")
        case = await world.do(decide(payment, LEGITIMATE, four_eyes=True))
        assert (case.state, case.verdict, case.decided_by) == ("decided", "legitimate", "per_ada")

    async def test_one_person_cannot_decide_by_changing_their_mind(self, world):
        payment = await flagged(world)
        for verdict in (FRAUD, LEGITIMATE, FRAUD):
            case = await world.do(decide(payment, verdict, four_eyes=True))
            assert (case.state, case.verdict) == ("proposed", verdict)

    async def test_what_two_have_decided_takes_two_to_be_decided_anew(self, world):
        payment = await flagged(world)
        for by in ("per_ada", "per_bob"):
            await world.do(decide(payment, by=by, four_eyes=True))
        case = await world.do(decide(payment, LEGITIMATE, four_eyes=True, anew=True))
        assert (case.state, case.proposed_by, case.decided_by) == ("proposed", "per_ada", "")
        case = await world.do(decide(payment, LEGITIMATE, by="per_bob", four_eyes=True))
        assert (case.state, case.verdict) == ("decided", "legitimate")


async def test_a_case_shows_what_its_device_did_and_who_else_was_flagged_there(world):
    spender, seller = await known(world)
    usual = []
    for _ in range(2):
        usual.append((await world.do(world.pay(spender, seller, 10))).payment)
        world.clock.move(60)
    stranger = await world.account()
    odd = (await world.do(world.pay(spender, stranger, 10))).payment
    other, home = await known(world)
    also = (await world.do(world.pay(other, stranger, 10))).payment
    await world.do(decide(also))
    await world.do(world.pay(other, home, 10))  # Neither of the device nor to the payee.
    found = await world.database.read(lambda tx: case_file(tx, case_name(odd)))
    assert found.payment == odd
    near = [(each.payment.id, each.by, each.case and each.case.verdict) for each in found.related]
    assert near[0] == (also.id, "payee", "fraud")
    assert [(ident, by) for ident, by, _ in near[1:3]] == [
        (one.id, "device") for one in reversed(usual)
    ]
    assert len(near) == 4  # With the device's first one.
    assert await world.database.read(lambda tx: case_file(tx, "cas_none")) is None


async def test_of_a_busy_device_the_nearest_payments_are_shown(world):
    spender, seller = await known(world)
    around = []
    for number in range(2 * BEFORE + 2 * LATER):
        world.clock.move(60)
        if number == 2 * BEFORE:
            odd = (await world.do(world.pay(spender, await world.account(), 10))).payment
            world.clock.move(1)
        around.append((await world.do(world.pay(spender, seller, 10))).payment.id)
    found = await world.database.read(lambda tx: case_file(tx, case_name(odd)))
    near = [each.payment.id for each in found.related]
    assert near == around[BEFORE : 2 * BEFORE + LATER][::-1]


async def test_what_was_flagged_before_there_were_cases_has_one(world):
    payment = await flagged(world)
    other = await flagged(world, 1000)
    before = await every(world)
    [text] = [sql for number, _, sql in migrations() if number == 18]

    def again(tx):
        tx.run("DROP TABLE cases")
        for statement in text.split(";")[:-1]:
            tx.run(statement)
        return page(tx, CASES, {}, limit=500)

    assert world.database.transact(again) == before == [opened(other), opened(payment)]


class TestInShadow:
    """What is only watched is a case as well."""

    @pytest.fixture
    def risk(self):
        return ASKS | {"mode": "shadow"}

    async def test_what_is_odd_and_paid_has_a_case(self, world):
        payment = await flagged(world)
        assert payment.state is State.CAPTURED
        assert await every(world) == [opened(payment)]
