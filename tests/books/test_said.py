"""Who answered an ask is kept with its payment, told to its payer's owner, and audited."""

import pytest

from farthing.core.answers import AnswerAsk
from farthing.core.events import EVENTS
from farthing.core.payments import PAYMENTS, State
from farthing.core.said import By, Means, Said, read_said, write_said
from farthing.services.audit import examine
from farthing.store.queries import one
from tests.books.test_asks import asking

ADA, EVE = By(Means.PASSKEY, "per_ada"), By(Means.KEY, "key_eve")


async def kept(world, ident):
    payment = await world.database.read(lambda tx: one(tx, PAYMENTS, ident))
    return [(said.answer, said.means, said.who) for said in read_said(payment.answers)]


async def test_an_answer_is_kept_with_who_how_and_when(world):
    _, _, _, ident = await asking(world)
    world.clock.move(3)
    done = await world.do(AnswerAsk(ident, None, "approve", ADA))
    [said] = read_said(done.payment.answers)
    assert said == Said("approve", Means.PASSKEY, "per_ada", done.payment.changed_ns)


async def test_the_first_answer_stays_whoever_says_the_same_again(world):
    _, _, _, ident = await asking(world)
    await world.do(AnswerAsk(ident, None, "deny", ADA))
    await world.do(AnswerAsk(ident, None, "deny", EVE))
    assert await kept(world, ident) == [("deny", "passkey", "per_ada")]


async def test_what_becomes_of_a_payment_later_leaves_its_answer(world):
    _, _, unit, ident = await asking(world)
    await world.do(AnswerAsk(ident, None, "approve", EVE))
    assert (await world.do(unit)).fresh
    assert await kept(world, ident) == [("approve", "key", "key_eve")]


async def test_nobody_is_said_to_have_answered_where_a_deadline_did(world):
    for on_timeout, answer in (("refuse", "deny"), ("allow", "approve")):
        _, _, _, ident = await asking(world, on_timeout=on_timeout)
        world.clock.move(901)
        await world.do(AnswerAsk(ident, None, "approve", ADA))  # Too late: the rule holds.
        assert await kept(world, ident) == [(answer, "deadline", "")]


async def test_the_payers_owner_is_told_who_answered_and_the_payee_is_not(world):
    spender, _, _, ident = await asking(world)
    done = await world.do(AnswerAsk(ident, None, "approve", ADA))

    def read(tx):
        numbers = [done.payment.leaf * 16, done.payment.leaf * 16 + 1]
        return tx.fetch(EVENTS, numbers).values()

    told = {event.owner: event.body for event in await world.database.read(read)}
    assert told.pop(spender.device.owner)["answered_by"] == "per_ada"
    assert [body.get("answered_by") for body in told.values()] == [None]


@pytest.mark.parametrize("forged", [write_said([Said("approve", Means.PASSKEY, "per_eve", 1)]), ""])
async def test_an_audit_names_a_payment_whose_answer_was_changed(world, forged):
    _, _, _, ident = await asking(world)
    done = await world.do(AnswerAsk(ident, None, "approve", ADA))
    assert done.payment.state is State.HELD
    report = await world.database.read(lambda tx: examine(tx, None, None))
    assert report.text == "ok"
    sql = "UPDATE payments SET answers = ? WHERE id = ?"
    world.database.transact(lambda tx: tx.run(sql, (forged, ident)))
    report = await world.database.read(lambda tx: examine(tx, None, None))
    assert ident in report.text
