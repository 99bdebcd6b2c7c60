-- Fees: what a payment is under and gave, as JSON; an offer's own; and how an offer is metered.
ALTER TABLE payments ADD COLUMN fees TEXT NOT NULL DEFAULT '';
ALTER TABLE offers ADD COLUMN fee TEXT NOT NULL DEFAULT 'null';
ALTER TABLE offers ADD COLUMN usage TEXT NOT NULL DEFAULT 'null';
