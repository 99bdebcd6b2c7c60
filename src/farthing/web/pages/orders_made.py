"""What devices ordered lately: what a changed mandate is tried on, and whom an owner has paid."""

from collections.abc import Mapping, Sequence
from typing import Any

from farthing import ids
from farthing.core.foreseen import Asked
from farthing.core.owners import OWNERS
from farthing.core.payments import PAYMENTS, State
from farthing.services.context import Context
from farthing.store.database import Tx
from farthing.store.mapping import mapping

DAYS = 30
ORDERS_MAX = 2000
"""The newest orders of an owner that are looked at: more would keep others waiting."""

_PAYEES_MAX = 24
_OWNERS_WORD = ("mandate-", "denied", "ask-expired")


class OrdersMade:
    """Reads what one owner's devices ordered in the last days."""

    def __init__(self, ctx: Context, owner: str) -> None:
        self._ctx, self._owner = ctx, owner

    async def of(self, devices: Sequence[str]) -> list[Asked]:
        """Read what these devices ordered, oldest first, but for what their mandate did not decide.

        Shape: what was refused for want of money, say, would be refused under any mandate.
        """
        return await self._ctx.database.read(lambda tx: self._of(tx, frozenset(devices)))

    def _of(self, tx: Tx, devices: frozenset[str]) -> list[Asked]:
        what = ("payee", "category", "amount", "created_ns", "device", "state", "reason")
        return [
            Asked(payee, category, amount, created_ns)
            for payee, category, amount, created_ns, device, state, reason in self._rows(tx, what)
            if device in devices
            and (state != State.REFUSED.value or reason.startswith(_OWNERS_WORD))
        ][::-1]

    async def payees(self) -> Mapping[str, str]:
        """Name the accounts that the owner has paid lately, those that were paid last first."""
        return await self._ctx.database.read(self._payees)

    def _payees(self, tx: Tx) -> dict[str, str]:
        rows = self._rows(tx, ("payee", "payee_owner", "state"))
        paid = {payee: owner for payee, owner, state in rows if state == State.CAPTURED.value}
        newest = dict(list(paid.items())[:_PAYEES_MAX])
        owners = tx.fetch(OWNERS, list(set(newest.values())))
        return {payee: owners[owner].name for payee, owner in newest.items() if owner in owners}

    def _rows(self, tx: Tx, what: Sequence[str]) -> list[tuple[Any, ...]]:
        mapped = mapping(PAYMENTS)
        first = ids.name("pay", (self._ctx.now_s() - DAYS * 86_400) * 1000 << 80)
        where = f"{mapped.equal('owner')} AND id >= ?"
        columns = ", ".join(map(mapped.column, what))
        sql = f"SELECT {columns} FROM payments WHERE {where} ORDER BY id DESC LIMIT ?"  # noqa: S608
        return tx.rows(sql, (self._owner, first, ORDERS_MAX))
