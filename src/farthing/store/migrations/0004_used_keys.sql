-- Nonces of signed requests, so that each is good once at all hubs together; until: Unix seconds.
CREATE TABLE used_keys (key BLOB PRIMARY KEY, until BIGINT NOT NULL);
CREATE INDEX used_keys_by_age ON used_keys (until);
