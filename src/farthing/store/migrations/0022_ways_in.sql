-- How often it was changed what a person has left to sign in with: decided by all of it, or not at all.
ALTER TABLE people ADD COLUMN ways_in BIGINT NOT NULL DEFAULT 0;
-- In which session a browser asked for pushes, by its hash: signed out there, it gets none any more.
ALTER TABLE notice_addresses ADD COLUMN session TEXT NOT NULL DEFAULT '';
