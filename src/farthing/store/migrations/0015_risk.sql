-- What was judged of an order that deserved a look; empty for most.
ALTER TABLE payments ADD COLUMN risk TEXT NOT NULL DEFAULT '';
