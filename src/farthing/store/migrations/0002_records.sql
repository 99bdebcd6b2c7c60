-- What the ledger's ids mean. Times are Unix nanoseconds unless a name says otherwise.
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE assets (code TEXT PRIMARY KEY, scale BIGINT NOT NULL, ledger BIGINT NOT NULL UNIQUE);
CREATE TABLE certificates (
  key TEXT PRIMARY KEY, hub TEXT NOT NULL, valid_from BIGINT NOT NULL, signature BLOB NOT NULL
);
CREATE TABLE owners (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, time_zone TEXT NOT NULL, created_ns BIGINT NOT NULL
);
CREATE TABLE api_keys (
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, hash BLOB NOT NULL UNIQUE, scopes TEXT NOT NULL,
  label TEXT NOT NULL, created_ns BIGINT NOT NULL, revoked_ns BIGINT NOT NULL
);
CREATE TABLE account_records (
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, asset TEXT NOT NULL, ledger BIGINT NOT NULL,
  name TEXT NOT NULL, state TEXT NOT NULL, latch TEXT NOT NULL, created_ns BIGINT NOT NULL,
  frozen_by TEXT NOT NULL
);
CREATE INDEX account_records_by_owner ON account_records (owner, id);
CREATE TABLE mandates (
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, asset TEXT NOT NULL, name TEXT NOT NULL,
  largest BIGINT NOT NULL, budgets TEXT NOT NULL, payees TEXT NOT NULL, categories TEXT NOT NULL,
  hours TEXT NOT NULL, zones TEXT NOT NULL, expires BIGINT NOT NULL, ask_above BIGINT,
  ask_seconds BIGINT NOT NULL, on_timeout TEXT NOT NULL, revision BIGINT NOT NULL,
  created_ns BIGINT NOT NULL, revoked_ns BIGINT NOT NULL
);
CREATE INDEX mandates_by_owner ON mandates (owner, id);
CREATE TABLE devices (
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, account TEXT NOT NULL, mandate TEXT NOT NULL,
  name TEXT NOT NULL, keys TEXT NOT NULL, created_ns BIGINT NOT NULL, revoked_ns BIGINT NOT NULL
);
CREATE INDEX devices_by_owner ON devices (owner, id);
CREATE TABLE invitations (
  hash BLOB PRIMARY KEY, id TEXT NOT NULL, owner TEXT NOT NULL, account TEXT NOT NULL,
  mandate TEXT NOT NULL, name TEXT NOT NULL, expires_ns BIGINT NOT NULL, device TEXT NOT NULL
);
CREATE TABLE offers (
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, payee TEXT NOT NULL, method TEXT NOT NULL,
  path TEXT NOT NULL, asset TEXT NOT NULL, amount BIGINT NOT NULL, description TEXT NOT NULL,
  category TEXT NOT NULL, valid_from BIGINT NOT NULL, valid_until BIGINT NOT NULL,
  free_for TEXT NOT NULL, created_ns BIGINT NOT NULL, withdrawn_ns BIGINT NOT NULL
);
CREATE INDEX offers_by_owner ON offers (owner, id);
CREATE TABLE payments (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, reason TEXT NOT NULL, owner TEXT NOT NULL,
  payer TEXT NOT NULL, device TEXT NOT NULL, payee_owner TEXT NOT NULL, payee TEXT NOT NULL,
  asset TEXT NOT NULL, ledger BIGINT NOT NULL, amount BIGINT NOT NULL, captured BIGINT NOT NULL,
  refunded BIGINT NOT NULL, category TEXT NOT NULL, resource TEXT NOT NULL, challenge TEXT,
  nonce TEXT NOT NULL, order_digest BLOB NOT NULL, signing_key TEXT NOT NULL,
  expires BIGINT NOT NULL, hub TEXT NOT NULL, wants_capture BIGINT NOT NULL,
  hold_seconds BIGINT NOT NULL, claim TEXT NOT NULL, budgets BIGINT NOT NULL,
  hold_ends_ns BIGINT NOT NULL, ask_ends_ns BIGINT NOT NULL, ask TEXT NOT NULL,
  delivery TEXT NOT NULL, created_ns BIGINT NOT NULL, changed_ns BIGINT NOT NULL,
  leaf BIGINT NOT NULL
);
CREATE INDEX payments_by_owner ON payments (owner, id);
CREATE INDEX payments_by_payee_owner ON payments (payee_owner, id);
CREATE INDEX payments_by_challenge ON payments (challenge) WHERE challenge IS NOT NULL;
CREATE INDEX payments_held ON payments (hold_ends_ns) WHERE state = 'held';
CREATE INDEX payments_awaiting ON payments (ask_ends_ns) WHERE state = 'awaiting';
CREATE TABLE asks (key TEXT PRIMARY KEY, payment TEXT NOT NULL);
CREATE TABLE refunds (
  id TEXT PRIMARY KEY, payment TEXT NOT NULL, units BIGINT NOT NULL, reason TEXT NOT NULL,
  state TEXT NOT NULL, attempts BIGINT NOT NULL, created_ns BIGINT NOT NULL
);
CREATE INDEX refunds_by_payment ON refunds (payment);
CREATE TABLE events (
  number INTEGER PRIMARY KEY, owner TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
  time_ns BIGINT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX events_by_owner ON events (owner, number);
CREATE TABLE idempotency (
  key BLOB PRIMARY KEY, content BLOB NOT NULL, status BIGINT NOT NULL, answer TEXT NOT NULL,
  payment TEXT NOT NULL, created_ns BIGINT NOT NULL
);
CREATE INDEX idempotency_by_age ON idempotency (created_ns);
