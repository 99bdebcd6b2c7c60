"""When accounts were frozen or closed: the spans between their latches, as history has them."""

from farthing.core.ledger import Transfer, TransferFlags

_LATCH = int(TransferFlags.CLOSING_DEBIT)
_OFF = int(TransferFlags.VOID_PENDING)


class Latches:
    """Spans in which accounts took part in nothing. Shape: feed transfers to `note` in order."""

    def __init__(self) -> None:
        self._on: dict[int, tuple[int, int]] = {}
        self._over: dict[int, list[tuple[int, int]]] = {}

    def note(self, moved: Transfer) -> None:
        """Take the next transfer."""
        if moved.flags & _LATCH:
            self._on[moved.id] = (moved.debit_account_id, moved.timestamp)
        elif moved.flags & _OFF and moved.pending_id in self._on:
            account, since_ns = self._on.pop(moved.pending_id)
            self._over.setdefault(account, []).append((since_ns, moved.timestamp))

    def was_closed(self, account: int, at_ns: int) -> bool:
        """Tell whether an account was frozen or closed at a time."""
        spans = self._over.get(account, ())
        return any(since < at_ns < until for since, until in spans) or any(
            held == account and since < at_ns for held, since in self._on.values()
        )
