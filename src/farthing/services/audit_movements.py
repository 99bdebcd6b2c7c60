"""Top-ups and payouts, compared with what the ledger has of them."""

from farthing import ids
from farthing.core.audit_faults import Broken, broken
from farthing.core.ledger import Transfer, TransferFlags
from farthing.core.movements import (
    END,
    HOLD,
    MOVEMENTS,
    Direction,
    Movement,
    Said,
    ending,
    first_transfer,
    number_of,
)
from farthing.errors import Malformed
from farthing.store import audit_rows as rows
from farthing.store.database import Tx

_ENDS = int(TransferFlags.POST_PENDING | TransferFlags.VOID_PENDING)


def check_movements(tx: Tx, moved_by_rails: int) -> None:
    """Check that each movement is in the ledger as far as its rail has said so, and no other is.

    Raises: Broken.
    """
    found = 0
    for movement in rows.records(tx, MOVEMENTS, "movement"):
        try:
            number = number_of(movement)
        except Malformed:
            raise _broken(movement, "its id is none") from None
        wanted = [ids.place(number, HOLD), ids.place(number, END)]
        transfers = rows.transfers_by_id(tx, wanted)
        first, end = (transfers.get(ident) for ident in wanted)
        wrong = _first_fault(movement, first) or _end_fault(movement, end)
        if wrong is not None:
            raise _broken(movement, wrong)
        found += first is not None
    if found != moved_by_rails:
        raise broken("movements", f"{moved_by_rails} transfers are of rails, {found} are known")


def _first_fault(movement: Movement, first: Transfer | None) -> str | None:
    paid_out = movement.direction is Direction.PAYOUT
    due = paid_out or (movement.booked and movement.state is Said.SETTLED)
    if due != (first is not None):
        return "its transfer is missing" if due else "it has a transfer before it is settled"
    made = first_transfer(movement)
    if first is not None and _sides(first) != _sides(made):
        return "its transfer is another one"
    return None


def _end_fault(movement: Movement, end: Transfer | None) -> str | None:
    due = movement.direction is Direction.PAYOUT and movement.booked
    if due != (end is not None):
        return "its hold was not ended" if due else "its hold was ended too early"
    if end is not None and (end.flags ^ ending(movement, movement.state).flags) & _ENDS:
        return "its hold ended otherwise"
    return None


def _sides(transfer: Transfer) -> tuple[int, ...]:
    return (
        transfer.debit_account_id,
        transfer.credit_account_id,
        transfer.amount,
        transfer.ledger,
        transfer.code,
        int(transfer.flags),
    )


def _broken(movement: Movement, what: str) -> Broken:
    return broken("movement", what, name=movement.id)
