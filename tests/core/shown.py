"""A view for core tests: rows and accounts that were put there, at a moment that was set."""

from typing import Any

from farthing.core.ledger import Account
from farthing.core.records import Table


class Shown:
    """What one unit sees."""

    def __init__(self, now_ns: int, *rows: tuple[Table[Any], Any], leaf: int = 7) -> None:
        self.now_ns, self.leaf = now_ns, leaf
        self.rows = {(table.name, table.key_of(row)): row for table, row in rows}
        self.accounts: dict[int, Account] = {}

    def get(self, table: Table[Any], key: Any) -> Any:
        return self.rows.get((table.name, key))

    def account(self, ident: int) -> Account | None:
        return self.accounts.get(ident)
