-- What payees have charged of sessions, request by request; `aside` is JSON.
CREATE TABLE session_charges (
  session TEXT PRIMARY KEY, charged BIGINT NOT NULL, sequence BIGINT NOT NULL, aside TEXT NOT NULL
);
