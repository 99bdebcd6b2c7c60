"""One browser and one hub for all tests here; each has people of its own.

Both end with this folder: while the browser is open no test that is a coroutine could run.
"""

import shutil
from collections.abc import Iterator

import pytest

from .chromium import Chromium, Hub, hub_in, opened_browser


@pytest.fixture(scope="package")
def chromium() -> Iterator[Chromium]:
    """Start Debian's Chromium, once."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not here: make setup-system")
    with opened_browser(path) as browser:
        yield browser


@pytest.fixture(scope="package")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Serve one hub in a process of its own."""
    with hub_in(tmp_path_factory.mktemp("wallet")) as served:
        yield served
