-- Ticks: how far a session's voucher was gone on from by the ladder that it commits to.
ALTER TABLE sessions ADD COLUMN ticks BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN tick BLOB;
UPDATE sessions SET tick = CAST('' AS BLOB);
