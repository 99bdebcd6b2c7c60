-- Who signs in by their organisation, by a hash of issuer and subject; and which sessions began so.
CREATE TABLE identities (
  id TEXT PRIMARY KEY, person TEXT NOT NULL, provisioned BIGINT NOT NULL,
  created_ns BIGINT NOT NULL, used_ns BIGINT NOT NULL, removed_ns BIGINT NOT NULL
);
CREATE INDEX identities_by_person ON identities (person);
ALTER TABLE signed_in ADD COLUMN identity TEXT NOT NULL DEFAULT '';
