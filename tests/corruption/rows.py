"""Changes of rows: every byte of every column, each row removed, doubled, changed for the next."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from farthing.core.payments import PAYMENTS

KEYS = {
    "accounts": "id", "transfers": "number", "pendings": "id", "failed_transfers": "id",
    "leaves": "number", "commits": "number", "payments": "id", "refunds": "id",
    "owners": "id", "api_keys": "id", "account_records": "id", "assets": "code",
    "mandates": "id", "devices": "id", "invitations": "hash", "offers": "id",
    "certificates": "key", "events": "number", "settings": "name", "migrations": "number",
    "asks": "key", "idempotency": "key", "sessions": "id", "session_aliases": "key",
    "tariffs": "digest", "used_keys": "key", "session_charges": "session", "names": "number",
}  # fmt: skip

UNSEEN_TABLES = {
    "events": "told to owners; the history has its own word on all of it",
    "settings": "a place to try whether the disk takes a write",
    "migrations": "which of them ran; what they made is compared",
    "asks": "which payment answers an equal ask; it decides on no money",
    "idempotency": "answers remembered for a day",
    "used_keys": "nonces remembered for a minute",
    "session_aliases": "a short name; who follows it checks the voucher's signature",
    "session_charges": "what a payee says of its own requests; signed vouchers bound it",
}
"""Tables that the audit does not look at, and why that harms nobody's money."""

UNSEEN = {
    **{(table, "name"): "a name, which may be deleted" for table in (
        "owners", "account_records", "mandates", "devices", "invitations",
    )},
    ("api_keys", "label"): "a name, which may be deleted",
    ("offers", "description"): "a text, which may be deleted",
    ("payments", "delivery"): "a text, which may be deleted",
    ("refunds", "reason"): "a text, which may be deleted",
    ("refunds", "created_ns"): "when it was asked for; the ledger has when it was made",
    ("sessions", "sequence"): "counts vouchers; the highest may have come with an earlier one",
    ("sessions", "voucher"): "four bytes of it hint at its key, and are not signed",
    ("sessions", "created_ns"): "of a session that its payer ended early",
    ("sessions", "changed_ns"): "when it was last drawn; its statement has what was taken",
    ("failed_transfers", "id"): "of a budget's part; that of the money is looked for",
}  # fmt: skip
"""Columns in which some changes are not seen, and why."""


_NAMED = " UNION ".join(f"SELECT {column} FROM payments" for column in PAYMENTS.numbered)
SEEN = {"names": f" WHERE number IN ({_NAMED})"}
"""Rows that are left out: names that stand in events alone, as those do not count."""

_HINT = tuple(f"byte {place} " for place in range(8, 12))


class Change(NamedTuple):
    """One corruption. Shape: `sql` are statements with their values."""

    kind: str
    table: str
    column: str
    what: str
    sql: tuple

    @property
    def may_pass(self) -> bool:
        """Tell whether it belongs to what the audit is known not to see."""
        if self.table in UNSEEN_TABLES:
            return True
        if (self.table, self.column) == ("sessions", "voucher"):
            return self.what.startswith(_HINT)
        if self.kind == "byte":
            return (self.table, self.column) in UNSEEN
        if (self.kind, self.table) == ("doubled", "assets"):
            return True  # An asset that nothing is counted in is stated by no account.
        if (self.kind, self.table) == ("doubled", "tariffs"):
            return True  # A tariff that no session was opened under.
        return self.table == "failed_transfers"


def every_change(rows) -> Iterator[Change]:
    """Give each change of each row. Shape: `rows(sql, *values)` looks at the books."""
    for table, key in KEYS.items():
        found = rows(f"SELECT * FROM {table}{SEEN.get(table, '')} ORDER BY {key}")
        if not found:
            continue
        columns = _columns(rows, table)
        for row in found:
            which = row[columns.index(key)]
            yield from _bytes_of(table, key, which, columns, row)
            yield _removed(table, key, which)
            yield _doubled(table, key, which, columns)
        for one, two in pairwise(found):
            yield from _changed_places(table, key, columns, one, two)


def _columns(rows, table):
    sql = f"SELECT name FROM pragma_table_info('{table}') ORDER BY cid"
    return [name for (name,) in rows(sql)]


def _bytes_of(table, key, which, columns, row):
    for column, value in zip(columns, row, strict=True):
        every = list(spoilt_values(value))
        for place, other in every[:1] if table in UNSEEN_TABLES else every:
            sql = f"UPDATE {table} SET {column} = ? WHERE {key} = ?"
            what = f"byte {place} of {table}.{column} where {key} = {which!r}"
            yield Change("byte", table, column, what, ((sql, (other, which)),))


def spoilt_values(value):
    """Change each byte of a value: one bit of it, so that it stays of its kind."""
    if value is None:
        yield 0, 1
    elif isinstance(value, int):
        yield from ((place, value ^ (1 << 8 * place)) for place in range(8))
    else:
        raw = value if isinstance(value, bytes) else value.encode()
        for place, byte in enumerate(raw):
            other = raw[:place] + bytes((byte ^ 1,)) + raw[place + 1 :]
            yield place, other if isinstance(value, bytes) else other.decode("utf-8", "replace")


def _removed(table, key, which):
    sql = f"DELETE FROM {table} WHERE {key} = ?"
    return Change("removed", table, "", f"{table} {which!r} removed", ((sql, (which,)),))


def _doubled(table, key, which, columns):
    """Copy a row under another key; what must be unique in it is made anew."""
    anew = {
        "api_keys": {"hash": "randomblob(32)"},
        "transfers": {"id": "randomblob(16)"},
        "assets": {"ledger": "ledger + 90"},
    }.get(table, {})
    chosen = ["?" if column == key else anew.get(column, column) for column in columns]
    sql = (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(chosen)}"
        f" FROM {table} WHERE {key} = ?"
    )
    what = f"{table} {which!r} doubled"
    return Change("doubled", table, "", what, ((sql, (_another(which), which)),))


def _another(key):
    if isinstance(key, int):
        return key + 1_000_000
    if isinstance(key, bytes):
        return key[:-1] + bytes((key[-1] ^ 3,))
    return key[:-1] + ("0" if key[-1] != "0" else "8")


def _changed_places(table, key, columns, one, two):
    place = columns.index(key)
    rest = [i for i in range(len(columns)) if i != place]
    if not rest or [one[i] for i in rest] == [two[i] for i in rest]:
        return
    between = -7 if isinstance(one[place], int) else type(one[place])()
    steps = ((between, one[place]), (one[place], two[place]), (two[place], between))
    sql = f"UPDATE {table} SET {key} = ? WHERE {key} = ?"
    what = f"{table} {one[place]!r} and {two[place]!r} changed for each other"
    yield Change("swapped", table, "", what, tuple((sql, step) for step in steps))
