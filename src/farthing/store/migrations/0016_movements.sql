-- Top-ups and payouts by rails, and when a rail is asked about one next.
CREATE TABLE movements (
  id TEXT PRIMARY KEY, direction TEXT NOT NULL, owner TEXT NOT NULL, account TEXT NOT NULL,
  rail TEXT NOT NULL, asset TEXT NOT NULL, ledger BIGINT NOT NULL, units BIGINT NOT NULL,
  place TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, rail_reference TEXT NOT NULL,
  booked BIGINT NOT NULL, created_ns BIGINT NOT NULL, changed_ns BIGINT NOT NULL
);
CREATE INDEX movements_by_owner ON movements (owner, direction, id);
CREATE TABLE movement_looks (
  id TEXT PRIMARY KEY, attempts BIGINT NOT NULL, next_ns BIGINT NOT NULL, over BIGINT NOT NULL
);
CREATE INDEX movement_looks_open ON movement_looks (next_ns) WHERE over = 0;
