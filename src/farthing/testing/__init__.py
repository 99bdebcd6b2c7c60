"""Real parts for tests, shipped: a throw-away PostgreSQL, and small worlds to pay in."""
