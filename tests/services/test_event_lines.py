"""Which events the hub's log has a line of."""

from farthing.core.events import Event, Kind
from farthing.services.event_log import once_each


def event(number: int, owner: str, kind: Kind, **body: str) -> Event:
    return Event(number, owner, kind, "pay_1", 1, body)


def test_one_fact_that_two_owners_hear_is_one_line():
    captured = Kind.PAYMENT_CAPTURED
    heard = [event(1, "own_payer", captured), event(2, "own_payee", captured, fee="5")]
    assert once_each(heard) == heard[:1]


def test_two_fees_of_one_payment_are_two_lines():
    taken = Kind.FEE_TAKEN
    fees = [event(1, "own_1", taken, of="hub"), event(2, "own_1", taken, of="off_1")]
    assert once_each(fees) == fees
