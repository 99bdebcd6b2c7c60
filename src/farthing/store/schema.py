"""Whether the database has the schema that the migrations make, and nothing planted in it.

A trigger or a view in the database does things that no line of this software says.
"""

import re
from functools import cache
from typing import Any

import apsw

from farthing.store.database import Tx
from farthing.store.migrate import apply_up_to, migrations
from farthing.store.sqlite import SqliteTx

_SQLITE = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%'"
_TABLE = re.compile(r"CREATE TABLE (\w+)", re.ASCII)

# What could do or hide something on its own, for the tables that an unqualified name finds.
_POSTGRESQL = """
  WITH ours AS (SELECT oid, relname, relkind, relrowsecurity FROM pg_class
    WHERE oid IN (SELECT to_regclass(name) FROM unnest(string_to_array(?, ' ')) AS name))
  SELECT 'trigger ' || t.tgname || ' on ' || o.relname FROM pg_trigger t
    JOIN ours o ON o.oid = t.tgrelid WHERE NOT t.tgisinternal
  UNION ALL SELECT 'rule ' || r.rulename || ' on ' || o.relname FROM pg_rewrite r
    JOIN ours o ON o.oid = r.ev_class
  UNION ALL SELECT o.relname || ' is no plain table' FROM ours o WHERE o.relkind <> 'r'
  UNION ALL SELECT 'row security on ' || o.relname FROM ours o WHERE o.relrowsecurity
  UNION ALL SELECT 'a table that inherits from ' || o.relname FROM pg_inherits i
    JOIN ours o ON o.oid = i.inhparent
  UNION ALL SELECT 'computed column ' || a.attname || ' of ' || o.relname FROM pg_attribute a
    JOIN ours o ON o.oid = a.attrelid WHERE a.attgenerated <> ''
  UNION ALL SELECT 'index on an expression ' || c.relname || ' of ' || o.relname FROM pg_index x
    JOIN ours o ON o.oid = x.indrelid JOIN pg_class c ON c.oid = x.indexrelid
    WHERE x.indexprs IS NOT NULL
  ORDER BY 1 LIMIT 1
"""


def planted(tx: Tx) -> str | None:
    """Name the first thing of the schema that no migration made, or that one made otherwise.

    Shape: on PostgreSQL only what could act or hide something by itself is looked for; an
           operator's own indexes, views and grants are no fault there.
    """
    if tx.dialect == "postgresql":
        found = tx.rows(_POSTGRESQL, (" ".join(sorted(tables_of(tx))),))
        return found[0][0] if found else None
    stored, made = set(tx.rows(_SQLITE)), _made(_schema(tx))
    for kind, name, table, _ in sorted(stored - made, key=str):
        same = any(entry[:2] == (kind, name) for entry in made)
        what = "is not as it was made" if same else "was not made by this software"
        return f"{kind} {name} on {table} {what}"
    for kind, name, _, _ in sorted(made - stored, key=str):
        return f"{kind} {name} is missing"
    return None


def tables_of(tx: Tx) -> set[str]:
    """Name the tables of the books, and that of their migrations."""
    schema = _schema(tx)
    texts = [sql for number, _, sql in migrations() if number <= schema]
    return {"migrations", *(name for sql in texts for name in _TABLE.findall(sql))}


def _schema(tx: Tx) -> int:
    return tx.rows("SELECT MAX(number) FROM migrations")[0][0]


def pages_fault(tx: Tx) -> str | None:
    """Say what SQLite finds wrong with its pages and indexes; PostgreSQL has its own ways."""
    if tx.dialect != "sqlite":
        return None
    said = str(tx.rows("PRAGMA integrity_check(1)")[0][0])
    return None if said == "ok" else said


@cache
def _made(schema: int) -> set[tuple[Any, ...]]:
    tx = SqliteTx(apsw.Connection(":memory:"))
    apply_up_to(tx, schema)
    return set(tx.rows(_SQLITE))
