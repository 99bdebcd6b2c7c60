"""More engines for the books' contract: SQLite written by a process beside the hub, and, where
there is a TigerBeetle, SQLite with the money kept there.
"""

import pytest


@pytest.fixture(params=["sqlite", "postgresql", "own process", "tigerbeetle"])
def engine(request) -> str:
    """Which engine a test runs on: each, one after the other."""
    return request.param
