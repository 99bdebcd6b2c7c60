-- Webhooks: where an owner's events are sent, how far each list of them has come, and each try.
CREATE TABLE webhooks (
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, url TEXT NOT NULL, label TEXT NOT NULL,
  kinds TEXT NOT NULL, secrets TEXT NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL,
  created_ns BIGINT NOT NULL, changed_ns BIGINT NOT NULL
);
CREATE INDEX webhooks_by_owner ON webhooks (owner, id);
CREATE TABLE webhook_lanes (
  id TEXT PRIMARY KEY, webhook TEXT NOT NULL, owner TEXT NOT NULL, kind TEXT NOT NULL,
  number BIGINT NOT NULL, until BIGINT NOT NULL, attempts BIGINT NOT NULL,
  next_ns BIGINT NOT NULL, failing_ns BIGINT NOT NULL, over BIGINT NOT NULL
);
CREATE INDEX webhook_lanes_open ON webhook_lanes (next_ns) WHERE over = 0;
CREATE TABLE webhook_deliveries (
  id TEXT PRIMARY KEY, webhook TEXT NOT NULL, owner TEXT NOT NULL, event BIGINT NOT NULL,
  kind TEXT NOT NULL, attempt BIGINT NOT NULL, status BIGINT NOT NULL, fault TEXT NOT NULL,
  took_ms BIGINT NOT NULL, time_ns BIGINT NOT NULL
);
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook, id);
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (time_ns);
-- Who does what only one process may do, and until when.
CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until_ns BIGINT NOT NULL);
