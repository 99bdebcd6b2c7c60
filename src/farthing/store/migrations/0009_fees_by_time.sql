-- What fees came to in a stretch of time; nothing is written here for a payment without a fee.
CREATE INDEX events_of_fees ON events (time_ns) WHERE kind IN ('fee.taken', 'fee.returned');
