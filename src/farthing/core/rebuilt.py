"""What a ledger's transfers alone tell: balances, holds, and where each payment stands.

Who has nothing left but the cluster that keeps the money has this of it: payments are found by the
ids that their transfers carry. What was only recorded, such as a refusal, moved nothing.
"""

from collections.abc import Iterable

import msgspec

from farthing import ids
from farthing.core.accounts import TransferCode
from farthing.core.ledger import Account, Transfer, TransferFlags
from farthing.core.payments import State
from farthing.core.replay import Replay

_PENDING = int(TransferFlags.PENDING)
_ENDINGS = {
    int(TransferFlags.POST_PENDING): State.CAPTURED,
    int(TransferFlags.VOID_PENDING): State.VOIDED,
    int(TransferFlags.EXPIRED): State.EXPIRED,
}
_ENDING = sum(_ENDINGS)


class Moved(msgspec.Struct):
    """A payment as its transfers tell it. Units: smallest units."""

    state: State
    amount: int
    captured: int = 0
    refunded: int = 0


class Rebuilt:
    """Balances, holds and payments, made of accounts and transfers.

    Shape:  `replay` has every account with its counters, and the holds that stand; `payments` are
            by their id.
    Raises: HistoryBroken for rows that no ledger made.
    """

    def __init__(self, accounts: Iterable[Account], transfers: Iterable[Transfer]) -> None:
        self.replay = Replay()
        self.payments: dict[str, Moved] = {}
        rows: list[Account | Transfer] = [*accounts, *transfers]
        for row in sorted(rows, key=lambda row: row.timestamp):
            if isinstance(row, Account):
                self.replay.account(row)
            else:
                self.replay.transfer(row)
                self._note(row)
        self.replay.finish()

    def _note(self, row: Transfer) -> None:
        if row.code == TransferCode.PAYMENT:
            self._pay(ids.name("pay", row.user_data), row)
        elif row.code == TransferCode.REFUND:
            self.payments[ids.name("pay", row.user_data)].refunded += row.amount

    def _pay(self, name: str, row: Transfer) -> None:
        ending = row.flags & _ENDING
        if ending:
            self.payments[name].state = _ENDINGS[ending]
        else:
            state = State.HELD if row.flags & _PENDING else State.CAPTURED
            self.payments[name] = Moved(state, row.amount)
        if self.payments[name].state is State.CAPTURED:
            self.payments[name].captured = row.amount
