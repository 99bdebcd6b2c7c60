-- Texts that stand in many rows, once each: owners, accounts, devices, keys, this hub. Their
-- numbers stand in the rows of payments and events, and in the indexes.
CREATE TABLE names (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO names (number, name) SELECT ROW_NUMBER() OVER (ORDER BY name), name FROM (
  SELECT owner AS name FROM payments UNION SELECT payer FROM payments
  UNION SELECT device FROM payments UNION SELECT payee_owner FROM payments
  UNION SELECT payee FROM payments UNION SELECT signing_key FROM payments
  UNION SELECT hub FROM payments UNION SELECT owner FROM events
) AS found;
DROP INDEX payments_by_owner;
DROP INDEX payments_by_payee_owner;
DROP INDEX payments_by_challenge;
DROP INDEX payments_held;
DROP INDEX payments_awaiting;
ALTER TABLE payments RENAME TO payments_before;
CREATE TABLE payments (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, reason TEXT NOT NULL, owner BIGINT NOT NULL,
  payer BIGINT NOT NULL, device BIGINT NOT NULL, payee_owner BIGINT NOT NULL,
  payee BIGINT NOT NULL, asset TEXT NOT NULL, ledger BIGINT NOT NULL, amount BIGINT NOT NULL,
  captured BIGINT NOT NULL, refunded BIGINT NOT NULL, category TEXT NOT NULL,
  resource TEXT NOT NULL, challenge TEXT, nonce TEXT NOT NULL, order_digest BLOB NOT NULL,
  signing_key BIGINT NOT NULL, expires BIGINT NOT NULL, hub BIGINT NOT NULL,
  wants_capture BIGINT NOT NULL, hold_seconds BIGINT NOT NULL, claim TEXT NOT NULL,
  budgets BIGINT NOT NULL, hold_ends_ns BIGINT NOT NULL, ask_ends_ns BIGINT NOT NULL,
  ask TEXT NOT NULL, delivery TEXT NOT NULL, created_ns BIGINT NOT NULL,
  changed_ns BIGINT NOT NULL, leaf BIGINT NOT NULL, fees TEXT NOT NULL
);
INSERT INTO payments SELECT id, state, reason,
  (SELECT number FROM names WHERE name = owner), (SELECT number FROM names WHERE name = payer),
  (SELECT number FROM names WHERE name = device),
  (SELECT number FROM names WHERE name = payee_owner),
  (SELECT number FROM names WHERE name = payee), asset, ledger, amount, captured, refunded,
  category, resource, challenge, nonce, order_digest,
  (SELECT number FROM names WHERE name = signing_key), expires,
  (SELECT number FROM names WHERE name = hub), wants_capture, hold_seconds, claim, budgets,
  hold_ends_ns, ask_ends_ns, ask, delivery, created_ns, changed_ns, leaf, fees
  FROM payments_before ORDER BY id;
DROP TABLE payments_before;
CREATE INDEX payments_by_owner ON payments (owner, id);
CREATE INDEX payments_by_payee_owner ON payments (payee_owner, id);
CREATE INDEX payments_by_challenge ON payments (challenge) WHERE challenge IS NOT NULL;
CREATE INDEX payments_held ON payments (hold_ends_ns) WHERE state = 'held';
CREATE INDEX payments_awaiting ON payments (ask_ends_ns) WHERE state = 'awaiting';
DROP INDEX events_by_owner;
DROP INDEX events_of_fees;
ALTER TABLE events RENAME TO events_before;
CREATE TABLE events (
  number INTEGER PRIMARY KEY, owner BIGINT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
  time_ns BIGINT NOT NULL, body TEXT NOT NULL
);
INSERT INTO events SELECT number, (SELECT names.number FROM names WHERE name = owner), kind,
  subject, time_ns, body FROM events_before ORDER BY 1;
DROP TABLE events_before;
CREATE INDEX events_by_owner ON events (owner, number);
CREATE INDEX events_of_fees ON events (time_ns) WHERE kind IN ('fee.taken', 'fee.returned');
