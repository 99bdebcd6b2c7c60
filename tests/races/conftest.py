"""One market for all races on an engine."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import fresh_dsn
from tests.e2e.selling_apps import served

from .market import Goods, Market, hubs_on, shops_at


@pytest.fixture(
    scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
def books(request: Any):
    """The name of a fresh PostgreSQL database, or nothing for SQLite."""
    if request.param == "sqlite":
        yield ""
        return
    with fresh_dsn(request.getfixturevalue("postgres_server")) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def hubs(books: str, tmp_path_factory: Any):
    """A hub, or two on PostgreSQL."""
    with hubs_on(tmp_path_factory.mktemp("hubs"), books) as served_hubs:
        yield served_hubs


@pytest.fixture(scope="session")
def running(hubs: Any):
    """The market without shops."""
    market = Market(hubs, Goods())
    yield market
    market.http.close()


@pytest.fixture
def market(running: Market):
    """A market whose books must be right after every race."""
    yield running
    running.settled()


@pytest.fixture(scope="session")
def shopping_street(running: Market, tmp_path_factory: Any):
    """The market's two shops, before one service."""
    folder: Path = tmp_path_factory.mktemp("shops")
    with served(running.goods) as upstream, shops_at(running, folder, upstream):
        yield running


@pytest.fixture
def street(shopping_street: Market, market: Market):
    """A market with shops, whose books must be right after every race."""
    return market
