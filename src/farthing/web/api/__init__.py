"""The hub's own API: one table of endpoints says who may ask what, and documents itself."""
