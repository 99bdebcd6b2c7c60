-- Who answered an ask, by which means and when; empty where nobody was asked, and of before.
ALTER TABLE payments ADD COLUMN answers TEXT NOT NULL DEFAULT '';
