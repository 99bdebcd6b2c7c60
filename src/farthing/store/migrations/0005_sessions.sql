-- Sessions: deposits that vouchers draw. Times are Unix nanoseconds.
CREATE TABLE sessions (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, owner TEXT NOT NULL, payer TEXT NOT NULL,
  device TEXT NOT NULL, payee_owner TEXT NOT NULL, payee TEXT NOT NULL, asset TEXT NOT NULL,
  alias BLOB NOT NULL, tariff BLOB NOT NULL, key TEXT NOT NULL, purpose TEXT NOT NULL,
  deposit BIGINT NOT NULL, deposits TEXT NOT NULL, units BIGINT NOT NULL, sequence BIGINT NOT NULL,
  voucher BLOB NOT NULL, captured BIGINT NOT NULL, unsettled BIGINT NOT NULL,
  ended_by TEXT NOT NULL, ends_ns BIGINT NOT NULL, closes_ns BIGINT NOT NULL,
  created_ns BIGINT NOT NULL, changed_ns BIGINT NOT NULL, leaf BIGINT NOT NULL
);
CREATE INDEX sessions_by_owner ON sessions (owner, id);
CREATE INDEX sessions_by_payee_owner ON sessions (payee_owner, id);
CREATE INDEX sessions_due ON sessions (closes_ns) WHERE state = 'open';
CREATE INDEX sessions_unsettled ON sessions (id) WHERE unsettled > 0;
CREATE TABLE session_aliases (key BLOB PRIMARY KEY, session TEXT NOT NULL);
CREATE TABLE tariffs (digest BLOB PRIMARY KEY, text TEXT NOT NULL);
