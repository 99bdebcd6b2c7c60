"""Where the tests of what is demanded of a paywall are run: on each way of selling."""

from pathlib import Path

import pytest

from .hall import MIDDLEWARE, PROXY, Place


@pytest.fixture(params=[MIDDLEWARE, PROXY])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place to open a hall in: the middleware, then the proxy."""
    return Place(tmp_path, request.param)
