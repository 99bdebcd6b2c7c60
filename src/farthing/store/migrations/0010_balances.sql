-- What changes of an account, apart from what never does: rows of 30 bytes, in the order of opening.
-- A commit that touches many accounts writes half the pages. An account's timestamp is its own.
CREATE TABLE balances (
  timestamp INTEGER PRIMARY KEY, flags BIGINT NOT NULL,
  debits_pending BIGINT NOT NULL, debits_posted BIGINT NOT NULL,
  credits_pending BIGINT NOT NULL, credits_posted BIGINT NOT NULL, newest BIGINT NOT NULL
);
INSERT INTO balances SELECT timestamp, flags, debits_pending, debits_posted, credits_pending,
  credits_posted, newest FROM accounts;
ALTER TABLE accounts DROP COLUMN flags;
ALTER TABLE accounts DROP COLUMN debits_pending;
ALTER TABLE accounts DROP COLUMN debits_posted;
ALTER TABLE accounts DROP COLUMN credits_pending;
ALTER TABLE accounts DROP COLUMN credits_posted;
ALTER TABLE accounts DROP COLUMN newest;
