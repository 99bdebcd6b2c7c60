"""The log is looked through on each engine: by how a kind begins, and by what events are about."""

from farthing.store.overview import look_back
from farthing.store.queries import newest_event


async def test_events_are_found_by_how_their_kind_begins_and_by_what_they_are_about(world):
    spender, payee = await world.spender(100), await world.account()
    first, second = [
        (await world.do(world.pay(spender, payee, amount))).payment.id for amount in (5, 7)
    ]

    async def found(text: str) -> list[tuple[str, str]]:
        looked = await world.database.read(lambda tx: look_back(tx, newest_event(tx) + 1, text, 50))
        return [(event.kind, event.subject) for event in looked.events]

    everything = await found("")
    assert {kind for kind, _ in everything} > {"payment.captured"}
    of_payments = [one for one in everything if one[0].startswith("payment.")]
    assert await found("payment.") == of_payments
    assert {subject for _, subject in await found(first)} == {first}
    assert {subject for _, subject in await found(second)} == {second}
    for nobodys in ("payment.captured.", "pay_7zzzzzzzzzzzzzzzzzzzzzzzzz", "\U0001f4a9", "%"):
        assert await found(nobodys) == []
