"""The audit names what was planted into the schema, and pages that are not what they were."""

import pytest

EVERYWHERE = [
    "DROP TABLE settings; CREATE VIEW settings AS SELECT 'a' AS name, 'b' AS value",
]
ON_SQLITE = [
    "CREATE TRIGGER t AFTER INSERT ON payments BEGIN UPDATE balances SET flags = 0; END",
    "CREATE VIEW mine AS SELECT * FROM api_keys",
    "CREATE TABLE mine (x TEXT)",
    "CREATE INDEX mine ON api_keys (owner)",
    "DROP INDEX devices_by_owner",
    "ALTER TABLE owners ADD COLUMN mine TEXT",
]
ON_POSTGRESQL = [
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        " CREATE TRIGGER t BEFORE INSERT ON payments FOR EACH ROW EXECUTE FUNCTION f()"
    ),
    "CREATE RULE r AS ON DELETE TO commits DO INSTEAD NOTHING",
    "CREATE TABLE mine () INHERITS (api_keys)",
    "ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE owners ADD COLUMN mine TEXT GENERATED ALWAYS AS (lower(name)) STORED",
    "CREATE INDEX mine ON api_keys (lower(owner))",
]


@pytest.mark.parametrize("sql", [*EVERYWHERE, *ON_SQLITE, *ON_POSTGRESQL])
def test_what_is_planted_into_the_schema_is_named(spoilt, sql):
    engine = "sqlite" if sql in ON_SQLITE else "postgresql" if sql in ON_POSTGRESQL else None
    if engine not in (None, spoilt.database.dialect):
        pytest.skip("this is the other engine's")
    changes = [sql] if "FUNCTION f" in sql or "BEGIN" in sql else sql.split(";")
    if "FUNCTION f" in sql:
        first, second = sql.split("; CREATE TRIGGER")
        changes = [first, f"CREATE TRIGGER{second}"]
    report = spoilt.audit(*((change,) for change in changes))
    assert report.fault is not None
    assert report.fault.table == "schema", report.text


def test_an_operators_own_view_of_postgresql_is_no_fault(spoilt):
    if spoilt.database.dialect != "postgresql":
        pytest.skip("SQLite's file is the hub's alone")
    report = spoilt.audit(
        ("CREATE VIEW mine AS SELECT * FROM payments",), ("CREATE INDEX mine2 ON payments (payee)",)
    )
    assert report.text == "ok"


def test_statistics_are_no_fault(spoilt):
    assert spoilt.audit(("ANALYZE",)).text == "ok"
