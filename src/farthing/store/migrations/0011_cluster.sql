-- Where a cluster keeps the money: what is about to be posted there, until it is written here, and
-- the cluster's own time of each account and transfer, by its timestamp in the books.
CREATE TABLE intents (number INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE cluster_times (timestamp INTEGER PRIMARY KEY, cluster_ns BIGINT NOT NULL);
