"""More engines for the books' contract: SQLite written by a process beside the hub; SQLite with the
money in a TigerBeetle, where there is one; and PostgreSQL with the money in a cluster, which is one
in memory where there is no TigerBeetle.
"""

import pytest


@pytest.fixture(
    params=["sqlite", "postgresql", "own process", "tigerbeetle", "cluster and postgresql"]
)
def engine(request) -> str:
    """Which engine a test runs on: each, one after the other."""
    return request.param
