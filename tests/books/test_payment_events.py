"""What owners hear of a payment is in the books once: in its statement, or in the event itself."""

import msgspec

from farthing.books.happened import happened
from farthing.core.events import Event
from farthing.core.mandates import Budget
from farthing.core.payments import PAYMENTS
from farthing.core.records import Write
from farthing.core.settling import Capture, Void
from farthing.store.queries import events_after

SHORT_OR_WHOLE = {(True, True), (False, False)}
DAY = Budget(name="day", per="day", limit=100)


async def heard(world, payment):
    def look(tx):
        rows = tx.rows("SELECT number, subject, body FROM events WHERE kind LIKE 'payment.%'")
        kept = {number: body for number, _, body in rows}
        assert {(subject == "", body == "{}") for _, subject, body in rows} <= SHORT_OR_WHOLE
        events = events_after(tx, None, 0, 500)
        assert events == sorted(events, key=lambda event: event.number)
        mine = [event for event in events if event.subject == payment.id]
        return [(event.kind, event.owner, kept[event.number], event.body) for event in mine]

    return await world.database.read(look)


def told(payment, state, captured=0, **more):
    return {
        "amount": str(payment.amount), "asset": "USD", "captured": str(captured), "refunded": "0",
        "state": state, **more, "payer": payment.payer, "payee": payment.payee,
        "device": payment.device,
    }  # fmt: skip


async def test_an_event_is_told_by_the_statement_of_its_leaf_and_kept_without_a_body(world):
    spender, payee = await world.spender(1000, DAY), await world.account()
    held = (await world.do(world.pay(spender, payee, 50, hold=60))).payment
    await world.do(Capture(held.id, None, 30))
    paid = (await world.do(world.pay(spender, payee, 7))).payment
    mine, theirs = held.owner, held.payee_owner
    assert await heard(world, held) == [
        ("payment.held", mine, "{}", told(held, "held")),
        ("payment.held", theirs, "{}", told(held, "held")),
        ("payment.captured", mine, "{}", told(held, "captured", 30)),
        ("payment.captured", theirs, "{}", told(held, "captured", 30)),
    ]
    [[_, _, _, body], _] = await heard(world, paid)
    assert list(body) == list(told(paid, "captured"))  # In the order in which it was always told.


async def test_what_the_statement_does_not_say_in_full_is_kept_with_the_event(world):
    spender, payee = await world.spender(1000, DAY), await world.account()
    held = (await world.do(world.pay(spender, payee, 50, hold=60))).payment
    await world.do(Void(held.id, None, "sold out"))
    refused = (await world.do(world.pay(spender, payee, 200))).payment
    [*_, [_, _, kept, body], _] = await heard(world, held)
    assert (msgspec.json.decode(kept), body["reason"]) == (body, "sold out")
    [[_, _, _, mine], [_, _, kept, theirs]] = await heard(world, refused)
    assert mine == told(refused, "refused", reason="mandate-budget:day")
    assert msgspec.json.decode(kept) == theirs == mine | {"reason": "mandate-budget"}


async def test_an_event_that_was_kept_with_its_body_is_told_as_it_was(world):
    spender, payee = await world.spender(1000, DAY), await world.account()
    paid = (await world.do(world.pay(spender, payee, 7))).payment
    sql = "UPDATE events SET body = ?, subject = ? WHERE number / 16 = ?"
    world.database.transact(lambda tx: tx.run(sql, ('{"amount":"8"}', paid.id, paid.leaf)))
    assert [body for *_, body in await heard(world, paid)] == [{"amount": "8"}] * 2


async def test_who_counts_hears_each_fact_once_with_what_was_captured(world):
    spender, payee = await world.spender(1000, DAY), await world.account()
    paid = (await world.do(world.pay(spender, payee, 7))).payment
    both = [Event(number, "", "payment.captured", paid.id, 0, {}) for number in (32, 33)]
    other = Event(48, "", "mandate.revoked", "man_1", 0, {})
    written = {(PAYMENTS.name, paid.id): Write(PAYMENTS, paid)}
    counted = {"asset": "USD", "captured": "7"}
    assert happened([*both, other], written) == [
        msgspec.structs.replace(both[0], body=counted),
        other,
    ]
