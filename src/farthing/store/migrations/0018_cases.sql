-- Cases: what was flagged or stopped, until somebody has said what it was. What was flagged before
-- this table was there has its case, too: all that is in an open one follows from its payment.
CREATE TABLE cases (
  id TEXT PRIMARY KEY, payment TEXT NOT NULL, owner TEXT NOT NULL, device TEXT NOT NULL,
  payee TEXT NOT NULL, state TEXT NOT NULL, verdict TEXT NOT NULL, proposed_by TEXT NOT NULL,
  decided_by TEXT NOT NULL, opened_ns BIGINT NOT NULL, changed_ns BIGINT NOT NULL,
  steps TEXT NOT NULL
);
INSERT INTO cases SELECT 'cas_' || substr(id, 5, 25) || 'z', id,
  (SELECT name FROM names WHERE number = owner), (SELECT name FROM names WHERE number = device),
  (SELECT name FROM names WHERE number = payee), 'open', '', '', '', created_ns, created_ns, '[]'
  FROM payments WHERE risk <> '' ORDER BY id;
CREATE INDEX cases_by_state ON cases (state, id);
CREATE INDEX cases_by_device ON cases (device, id);
CREATE INDEX cases_by_payee ON cases (payee, id);
