-- People who sign in for an owner, by passkeys; links and recovery codes that let one in once;
-- where they are signed in; and which challenges were answered. Times are Unix nanoseconds.
CREATE TABLE people (
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, roles TEXT NOT NULL,
  created_ns BIGINT NOT NULL, removed_ns BIGINT NOT NULL
);
CREATE INDEX people_by_owner ON people (owner, id);
CREATE TABLE passkeys (
  id TEXT PRIMARY KEY, person TEXT NOT NULL, public_key BLOB NOT NULL, label TEXT NOT NULL,
  sign_count BIGINT NOT NULL, created_ns BIGINT NOT NULL, used_ns BIGINT NOT NULL,
  removed_ns BIGINT NOT NULL
);
CREATE INDEX passkeys_by_person ON passkeys (person, id);
CREATE TABLE sign_in_codes (
  hash BLOB PRIMARY KEY, person TEXT NOT NULL, kind TEXT NOT NULL, created_ns BIGINT NOT NULL,
  expires_ns BIGINT NOT NULL, used_ns BIGINT NOT NULL
);
CREATE INDEX sign_in_codes_by_person ON sign_in_codes (person);
CREATE TABLE signed_in (
  hash BLOB PRIMARY KEY, person TEXT NOT NULL, passkey TEXT NOT NULL, agent TEXT NOT NULL,
  created_ns BIGINT NOT NULL, seen_ns BIGINT NOT NULL, ends_ns BIGINT NOT NULL,
  ended_ns BIGINT NOT NULL
);
CREATE INDEX signed_in_by_person ON signed_in (person);
CREATE INDEX signed_in_by_age ON signed_in (ends_ns);
CREATE TABLE answered_challenges (
  hash BLOB PRIMARY KEY, person TEXT NOT NULL, act TEXT NOT NULL, passkey TEXT NOT NULL,
  until_ns BIGINT NOT NULL
);
CREATE INDEX answered_challenges_by_age ON answered_challenges (until_ns);
