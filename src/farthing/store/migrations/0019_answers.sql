-- Who answered an ask, by which means and when; empty where nobody was asked, and of before.
ALTER TABLE payments ADD COLUMN answers TEXT NOT NULL DEFAULT '';
-- The amount above which two different people have to approve; none where one is enough.
ALTER TABLE mandates ADD COLUMN two_above BIGINT;
