"""The audit compares top-ups and payouts with the ledger, and names the one that is wrong."""

import pytest

from farthing.core.audit_faults import Broken
from farthing.core.movements import Direction, Said
from farthing.services import audit_movements


def one_of(spoilt, direction: Direction, state: Said) -> str:
    sql = "SELECT id FROM movements WHERE direction = ? AND state = ? ORDER BY id LIMIT 1"
    return spoilt.rows(sql, direction.value, state.value)[0][0]


@pytest.mark.parametrize(
    "direction, state, changes, what",
    [
        (Direction.TOP_UP, Said.PENDING, "state = 'settled', booked = 1", "is missing"),
        (Direction.TOP_UP, Said.SETTLED, "booked = 0", "before it is settled"),
        (Direction.TOP_UP, Said.SETTLED, "units = 8", "is another one"),
        (Direction.PAYOUT, Said.PENDING, "state = 'failed', booked = 1", "was not ended"),
        (Direction.PAYOUT, Said.SETTLED, "booked = 0", "ended too early"),
        (Direction.PAYOUT, Said.SETTLED, "state = 'failed'", "ended otherwise"),
    ],
)
def test_a_movement_that_is_not_in_the_ledger_as_it_says_is_named(
    spoilt, direction, state, changes, what
):
    ident = one_of(spoilt, direction, state)
    seen = []

    def change(tx):
        tx.run(f"UPDATE movements SET {changes} WHERE id = ?", (ident,))
        with pytest.raises(Broken) as found:
            audit_movements.check_movements(tx, 4)
        seen.append(str(found.value))

    spoilt.audit(change)
    assert ident in seen[0]
    assert what in seen[0]


def test_a_transfer_of_a_rail_that_no_movement_has_is_found(spoilt):
    seen = []

    def change(tx):
        audit_movements.check_movements(tx, 4)
        with pytest.raises(Broken) as found:
            audit_movements.check_movements(tx, 5)
        seen.append(found.value)

    spoilt.audit(change)
    assert seen
