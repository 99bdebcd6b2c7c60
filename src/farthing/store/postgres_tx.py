"""A PostgreSQL transaction: statements are sent ahead, and waited for only where rows are read."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from farthing.core.records import Row, Table
from farthing.store.mapping import mapping
from farthing.store.names import Names
from farthing.store.postgres_sets import (
    TYPE_OF,
    Many,
    for_each,
    over_columns,
    translated,
    write_array,
)

if TYPE_CHECKING:
    import psycopg

_COLUMNS = b"""
    SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns
    WHERE table_schema = current_schema()
"""


class Shapes:
    """What is known of a database's columns, and the statements rewritten with it."""

    def __init__(self) -> None:
        self.types: dict[tuple[str, str], str] = {}
        self.rewritten: dict[str, Many | None] = {}

    def of(self, sql: str, connection: "psycopg.Connection[Any]") -> Many | None:
        """Rewrite a statement once; a column not known yet may have come by a migration."""
        if sql not in self.rewritten:
            try:
                self.rewritten[sql] = over_columns(sql, self.types)
            except KeyError:
                found = connection.execute(_COLUMNS).fetchall()
                self.types = {(table, column): kind for table, column, kind in found}
                self.rewritten[sql] = over_columns(sql, self.types)
        return self.rewritten[sql]


class PostgresTx:
    """A transaction on one connection."""

    dialect = "postgresql"

    alone = False
    """Another hub may have written at any time."""

    def __init__(
        self,
        connection: "psycopg.Connection[Any]",
        shapes: Shapes,
        pipeline: "psycopg.Pipeline | None" = None,
        names: Names | None = None,
    ) -> None:
        self._connection, self._shapes, self._pipeline = connection, shapes, pipeline
        self._names = names or Names()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a query and give all its rows."""
        return self._read(translated(sql), values)

    def rows_each(self, sql: str, keys: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Run a query that ends in `= ?` for all of the keys at once."""
        if not keys:
            return []
        kind = TYPE_OF[type(keys[0])]
        query = for_each(sql, kind)
        array = write_array(kind, keys)
        return self._read(query, (array,))

    def _read(self, query: bytes, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        cursor = self._connection.execute(query, values, binary=True)
        if self._pipeline is not None:
            # With no more than a flush the server would not know that it waits for us, and would
            # wait for ever, with the lock, for a hub that is no more.
            self._pipeline.sync()
        return cursor.fetchall()

    def run(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run one statement."""
        self._connection.execute(translated(sql), values)

    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for each row of values."""
        if not rows:
            return
        many = self._shapes.of(sql, self._connection)
        if many is None:
            self._connection.cursor().executemany(translated(sql), rows)
            return
        columns = zip(*rows, strict=True)
        arrays = [write_array(k, c) for k, c in zip(many.types, columns, strict=True)]
        self._connection.execute(many.sql, arrays)

    def fetch(self, table: Table[Row], keys: Sequence[Any]) -> dict[Any, Row]:
        """Get the records that exist under these keys."""
        mapped = mapping(table)
        found = [mapped.row(v) for v in self.rows_each(mapped.one, keys)]
        return {table.key_of(row): row for row in found}

    def add(self, table: Table[Row], rows: Sequence[Row]) -> None:
        """Insert records whose keys are new."""
        self.run_many(mapping(table).insert, self._names.values(self, table, rows))

    def put(self, table: Table[Row], rows: Sequence[Row]) -> None:
        """Insert records, or put them in the place of those with the same keys."""
        newest = {table.key_of(row): row for row in rows}  # One statement takes each row once.
        self.run_many(mapping(table).upsert, self._names.values(self, table, list(newest.values())))
