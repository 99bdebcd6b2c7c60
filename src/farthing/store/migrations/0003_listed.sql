-- Offers that their sellers list for anybody to find, and when an offer was set last.
ALTER TABLE offers ADD COLUMN listed_at TEXT NOT NULL DEFAULT '';
ALTER TABLE offers ADD COLUMN changed_ns BIGINT NOT NULL DEFAULT 0;
CREATE INDEX offers_listed ON offers (id) WHERE listed_at <> '';
