"""What the books say of many things at a time, in one read: machines compare after every commit."""

from collections.abc import Sequence

from farthing import ids
from farthing.books.rows import fetch_accounts
from farthing.core.ledger import Account
from farthing.core.mandates import MANDATES
from farthing.store.database import Tx
from farthing.testing.worlds import World


def available(tx: Tx, accounts: Sequence[str]) -> list[int]:
    """Tell what each account may still spend."""
    return [_left(account) for account in _in_order(tx, [ids.number("acc", a) for a in accounts])]


def used(tx: Tx, world: World, mandates: Sequence[str], name: str) -> list[int]:
    """Tell what was spent or is held of each mandate's budget in the period that is now."""
    kept = tx.fetch(MANDATES, mandates)
    lines = [
        world.line(kept[mandate], budget)
        for mandate in mandates
        for budget in kept[mandate].budgets
        if budget.name == name
    ]
    spent = _in_order(tx, [line.spent for line in lines])
    return [account.credits_posted + account.credits_pending if account else 0 for account in spent]


def _in_order(tx: Tx, numbers: Sequence[int]) -> list[Account | None]:
    found = fetch_accounts(tx, numbers)
    return [found.get(number) for number in numbers]


def _left(account: Account | None) -> int:
    if account is None:
        return 0
    return account.credits_posted - account.debits_posted - account.debits_pending
