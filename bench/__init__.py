"""Measuring: payments and the ledger, beside the ceilings of this very machine and run."""
