-- The ledger and its history. Ids are 16 bytes, big-endian; amounts count smallest units.
CREATE TABLE accounts (
  id BLOB PRIMARY KEY, ledger BIGINT NOT NULL, code BIGINT NOT NULL, flags BIGINT NOT NULL,
  user_data BLOB NOT NULL, timestamp BIGINT NOT NULL,
  debits_pending BIGINT NOT NULL, debits_posted BIGINT NOT NULL,
  credits_pending BIGINT NOT NULL, credits_posted BIGINT NOT NULL,
  leaf BIGINT NOT NULL, newest BIGINT NOT NULL
);
CREATE INDEX accounts_by_leaf ON accounts (leaf);

-- Append-only. debit_previous and credit_previous thread each account's history, newest first.
CREATE TABLE transfers (
  number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,
  debit_account_id BLOB NOT NULL, credit_account_id BLOB NOT NULL, amount BIGINT NOT NULL,
  ledger BIGINT NOT NULL, code BIGINT NOT NULL, flags BIGINT NOT NULL,
  pending_id BLOB NOT NULL, user_data BLOB NOT NULL, timeout BIGINT NOT NULL,
  timestamp BIGINT NOT NULL, leaf BIGINT NOT NULL,
  debit_previous BIGINT NOT NULL, credit_previous BIGINT NOT NULL
);

CREATE TABLE pendings (id BLOB PRIMARY KEY, state BIGINT NOT NULL, expires_ns BIGINT NOT NULL);
CREATE INDEX pendings_due ON pendings (expires_ns) WHERE state = 1;

CREATE TABLE failed_transfers (id BLOB PRIMARY KEY);

-- One leaf per unit that said or moved something; one signed head per commit.
CREATE TABLE leaves (
  number INTEGER PRIMARY KEY, commit_number BIGINT NOT NULL, subject BLOB NOT NULL,
  statement BLOB NOT NULL, rows_digest BLOB NOT NULL, digest BLOB NOT NULL
);

CREATE TABLE commits (
  number INTEGER PRIMARY KEY, chain TEXT NOT NULL, previous BLOB NOT NULL, root BLOB NOT NULL,
  leaves BIGINT NOT NULL, time_ns BIGINT NOT NULL, digest BLOB NOT NULL,
  signing_key TEXT NOT NULL, signature BLOB NOT NULL,
  first_leaf BIGINT NOT NULL, last_transfer BIGINT NOT NULL, last_ns BIGINT NOT NULL
);
