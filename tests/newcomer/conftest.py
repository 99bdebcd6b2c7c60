"""The wheel and two environments with it alone, made once a run and shared by its workers."""

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

from .environment import Empty, build_wheel, empty_environment


@pytest.fixture(scope="session")
def once(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """Make a folder by the first worker that needs it: `once(name, make)`."""
    place = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        place = place.parent

    def shared(name: str, make: Callable[[Path], object]) -> Path:
        folder = place / f"newcomer-{name}"
        with (place / f"newcomer-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / ".ready").exists():
                folder.mkdir(exist_ok=True)
                make(folder)
                (folder / ".ready").touch()
        return folder

    return shared


@pytest.fixture(scope="session")
def wheel(once) -> Path:
    """The wheel of this checkout."""
    return next(once("wheel", build_wheel).glob("farthing-*.whl"))


@pytest.fixture(scope="session", params=["highest", "lowest"])
def environment(request: pytest.FixtureRequest, wheel: Path, once) -> Empty:
    """An environment with the highest, or the lowest, allowed direct dependencies."""
    lowest = request.param == "lowest"
    return Empty(once(request.param, lambda f: empty_environment(f, wheel, lowest=lowest)))
