"""Who answered an ask is kept with its payment, told to its payer's owner, and audited."""

from farthing.core.answers import AnswerAsk
from farthing.core.events import EVENTS
from farthing.core.payments import PAYMENTS
from farthing.core.said import By, Means, Said, read_said
from farthing.store.queries import one
from tests.books.persons import answerer
from tests.books.test_asks import asking

EVE = By(Means.KEY, "key_eve")


async def kept(world, ident):
    payment = await world.database.read(lambda tx: one(tx, PAYMENTS, ident))
    return [(said.answer, said.means, said.who) for said in read_said(payment.answers)]


async def test_an_answer_is_kept_with_who_how_and_when(world):
    spender, _, _, ident = await asking(world)
    ada = await answerer(world, spender)
    world.clock.move(3)
    done = await world.do(AnswerAsk(ident, None, "approve", ada))
    [said] = read_said(done.payment.answers)
    assert said == Said("approve", Means.PASSKEY, ada.who, done.payment.changed_ns)


async def test_the_first_answer_stays_whoever_says_the_same_again(world):
    spender, _, _, ident = await asking(world)
    ada = await answerer(world, spender)
    await world.do(AnswerAsk(ident, None, "deny", ada))
    await world.do(AnswerAsk(ident, None, "deny", EVE))
    assert await kept(world, ident) == [("deny", "passkey", ada.who)]


async def test_what_becomes_of_a_payment_later_leaves_its_answer(world):
    _, _, unit, ident = await asking(world)
    await world.do(AnswerAsk(ident, None, "approve", EVE))
    assert (await world.do(unit)).fresh
    assert await kept(world, ident) == [("approve", "key", "key_eve")]


async def test_nobody_is_said_to_have_answered_where_a_deadline_did(world):
    for on_timeout, answer in (("refuse", "deny"), ("allow", "approve")):
        spender, _, _, ident = await asking(world, on_timeout=on_timeout)
        ada = await answerer(world, spender)
        world.clock.move(901)
        await world.do(AnswerAsk(ident, None, "approve", ada))  # Too late: the rule holds.
        assert await kept(world, ident) == [(answer, "deadline", "")]


async def test_the_payers_owner_is_told_who_answered_and_the_payee_is_not(world):
    spender, _, _, ident = await asking(world)
    ada = await answerer(world, spender)
    done = await world.do(AnswerAsk(ident, None, "approve", ada))

    def read(tx):
        numbers = [done.payment.leaf * 16, done.payment.leaf * 16 + 1]
        return tx.fetch(EVENTS, numbers).values()

    told = {event.owner: event.body for event in await world.database.read(read)}
    assert told.pop(spender.device.owner)["answered_by"] == ada.who
    assert [body.get("answered_by") for body in told.values()] == [None]
