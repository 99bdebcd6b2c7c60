-- Notices: what each person wishes to be told, where, how far they have been told, and each try.
CREATE TABLE notice_listeners (
  person TEXT PRIMARY KEY, owner TEXT NOT NULL, wishes TEXT NOT NULL, addresses TEXT NOT NULL,
  changed_ns BIGINT NOT NULL
);
CREATE TABLE notice_addresses (
  id TEXT PRIMARY KEY, person TEXT NOT NULL, owner TEXT NOT NULL, way TEXT NOT NULL,
  place TEXT NOT NULL, keys TEXT NOT NULL, label TEXT NOT NULL, state TEXT NOT NULL,
  why TEXT NOT NULL, code_hash BLOB NOT NULL, code_ends_ns BIGINT NOT NULL,
  code_tries BIGINT NOT NULL, created_ns BIGINT NOT NULL, proven_ns BIGINT NOT NULL,
  removed_ns BIGINT NOT NULL
);
CREATE INDEX notice_addresses_by_person ON notice_addresses (person, id);
CREATE TABLE notice_lanes (
  id TEXT PRIMARY KEY, person TEXT NOT NULL, owner TEXT NOT NULL, name TEXT NOT NULL,
  number BIGINT NOT NULL, heard BIGINT NOT NULL, upto BIGINT NOT NULL, attempts BIGINT NOT NULL,
  next_ns BIGINT NOT NULL, recent TEXT NOT NULL
);
CREATE INDEX notice_lanes_heard ON notice_lanes (owner) WHERE heard = 1;
CREATE TABLE notice_tries (
  id TEXT PRIMARY KEY, person TEXT NOT NULL, owner TEXT NOT NULL, notice TEXT NOT NULL,
  about TEXT NOT NULL, way TEXT NOT NULL, address TEXT NOT NULL, events BIGINT NOT NULL,
  attempt BIGINT NOT NULL, status BIGINT NOT NULL, fault TEXT NOT NULL, took_ms BIGINT NOT NULL,
  time_ns BIGINT NOT NULL
);
CREATE INDEX notice_tries_by_owner ON notice_tries (owner, id);
CREATE INDEX notice_tries_by_person ON notice_tries (person, id);
CREATE INDEX notice_tries_by_age ON notice_tries (time_ns);
-- How often something was sent somewhere, by a hash of where.
CREATE TABLE notice_paces (hash BLOB PRIMARY KEY, recent TEXT NOT NULL);
