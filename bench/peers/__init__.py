"""The same job with what a user would pick instead: `make bench-peers`."""
