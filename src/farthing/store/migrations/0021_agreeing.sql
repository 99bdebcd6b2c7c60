-- What one person wants a mandate to be where it takes two; empty where nobody does.
ALTER TABLE mandates ADD COLUMN proposed TEXT NOT NULL DEFAULT '';
