"""Empty environments with the wheel alone in them, and a wheelhouse to install from offline."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.trusted import trusting_all

from .shell import ROOT

_TOOLS = ("pip", "setuptools", "pkg_resources", "_distutils_hack")


@dataclass(frozen=True)
class Empty:
    """An environment that holds Farthing and what it needs, and nothing else."""

    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        """What an activated environment sets."""
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return {"VIRTUAL_ENV": str(self.folder), "PATH": path}

    def bytes_on_disk(self) -> int:
        """Count what the disk has less of, as `du` does: byte code included, without pip's own."""
        files = (f for f in self._packages().rglob("*") if f.is_file() and not f.is_symlink())
        return sum(f.stat().st_blocks * 512 for f in files if not self._is_tool(f))

    def packages(self) -> set[str]:
        """Name what was installed."""
        found = self._packages().glob("*.dist-info")
        return {path.name.partition("-")[0].lower() for path in found}

    def _packages(self) -> Path:
        return next(self.folder.glob("lib/python*/site-packages"))

    def _is_tool(self, file: Path) -> bool:
        return file.relative_to(self._packages()).parts[0].startswith(_TOOLS)


def build_wheel(folder: Path) -> None:
    """Build the wheel of this checkout."""
    _run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT))


def fill_wheelhouse(folder: Path, wheel: Path) -> int:
    """Fetch whatever an installation needs, and tell how many bytes a newcomer downloads."""
    fetch = [sys.executable, "-m", "pip", "download", "-q", "-d", str(folder)]
    _run(*fetch, str(wheel))
    size = sum(file.stat().st_size for file in folder.iterdir())
    _run(*fetch, "hatchling>=1.27")  # What builds the wheel from a clone.
    return size


def empty_environment(folder: Path, wheel: Path, *, lowest: bool) -> None:
    """Install the wheel alone, with the highest or the lowest allowed direct dependencies."""
    _uv("venv", "-q", "--allow-existing", "--python", sys.executable, str(folder))
    python = str(folder / "bin" / "python")
    bounds: list[str] = []
    if lowest:
        constraints = folder / "lowest.txt"
        _uv(
            *("pip", "compile", "-q", "--resolution", "lowest-direct", "--python", python),
            *("-o", str(constraints), str(ROOT / "pyproject.toml")),
        )
        bounds = ["-c", str(constraints)]
    _uv("pip", "install", "-q", "--compile-bytecode", "--python", python, *bounds, str(wheel))


def _uv(*words: str) -> None:
    _run(sys.executable, "-m", "uv", *words)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=trusting_all())
    assert done.returncode == 0, done.stderr
