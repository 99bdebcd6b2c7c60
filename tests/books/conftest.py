"""A third engine for the books' contract: SQLite, written by a process beside the hub."""

import pytest


@pytest.fixture(params=["sqlite", "postgresql", "own process"])
def engine(request) -> str:
    """Which engine a test runs on: each, one after the other."""
    return request.param
