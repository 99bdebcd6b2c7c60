"""Farthing: a self-hosted hub for machine-to-machine payments."""
