"""How a process that serves looks for garbage: seldom."""

import gc

_GARBAGE_THRESHOLDS = (50_000, 20, 50)
"""Python's own (700, 10, 10) walks over everything kept in memory many times a second."""


def calm_collector() -> None:
    """Look for garbage seldom, and never among what was imported."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE_THRESHOLDS)
