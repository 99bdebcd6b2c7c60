"""More engines for the books' contract: SQLite written by a process beside the hub; SQLite with the
money in a TigerBeetle, where there is one; and PostgreSQL with the money in a cluster, which is one
in memory where there is no TigerBeetle.

Every run puts the books on SQLite and PostgreSQL to all of it. Of the further engines each test
draws one, or none, anew in every run; `make prove` takes them all.
"""

from zlib import crc32

import pytest

from tests.effort import draw

FURTHER = ("own process", "tigerbeetle", "cluster and postgresql")


@pytest.fixture(params=["sqlite", "postgresql", *FURTHER])
def engine(request) -> str:
    """Which engine a test runs on: each, one after the other."""
    return request.param


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Leave to `make prove` the further engines of a test that were not drawn."""
    seed = None if config.option.markexpr == "prove" else draw()
    if seed == "all":
        return
    here = [item for item in items if "tests/books/" in item.nodeid and hasattr(item, "callspec")]
    usual = {_name(item) for item in here if item.callspec.params.get("engine") == "sqlite"}
    for item in here:
        engine, name = item.callspec.params.get("engine"), _name(item)
        if engine in FURTHER and name in usual and engine != drawn(seed, name):
            item.add_marker(pytest.mark.prove)


def drawn(seed: str | None, name: str) -> str | None:
    """Give the further engine that a test runs on; None for none of them."""
    if seed is None:
        return None
    return (*FURTHER, None)[crc32(f"{seed} {name}".encode()) % 4]


def _name(item) -> str:
    return item.nodeid.partition("[")[0]
