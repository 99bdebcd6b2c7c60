"""The fixtures: what is in them, and how to put one where a hub finds it."""

import json
import tarfile
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parent / "fixtures"
DRAFTS = ("draft-1", "draft-2")
"""Forms of schema 2 that nothing goes on from."""

ALL = tuple(sorted(file.stem for file in FIXTURES.glob("*.json")))
NAMES = tuple(name for name in ALL if name not in DRAFTS)


def told(name: str) -> dict[str, Any]:
    """Read what has to be found again."""
    return json.loads((FIXTURES / f"{name}.json").read_text())


def newest() -> str:
    """Name the fixture of the newest schema."""
    return max(NAMES, key=lambda name: told(name)["schema"])


def unpack(name: str, folder: Path) -> Path:
    """Unpack a fixture, with the modes that its files had."""
    with tarfile.open(FIXTURES / f"{name}.tar.xz", "r:xz") as tar:
        tar.extractall(folder, filter="tar")
    return folder
