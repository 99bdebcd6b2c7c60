"""Where peers are installed: each in an environment of its own under build/, never in ours."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.peers.base import PeerMissing

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "peers"
_INSTALL_SECONDS = 900


def python_place(name: str, requirements: Sequence[str]) -> Path:
    """Install Python packages where they are not yet, and give that environment's interpreter.

    Raises: PeerMissing.
    """
    folder = FOLDER / name
    python, noted = folder / "bin" / "python", folder / "installed"
    wanted = "\n".join(requirements)
    if not (noted.exists() and noted.read_text() == wanted):
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([str(python), "-m", "pip", "install", "--quiet", *requirements])
        noted.write_text(wanted)
    return python


def npm_place(name: str, packages: dict[str, str]) -> Path:
    """Install packages of npm where they are not yet, without their scripts; give the folder.

    Raises: PeerMissing.
    """
    folder = FOLDER / name
    noted = folder / "installed"
    wanted = json.dumps({"private": True, "dependencies": packages}, indent=2)
    if not (noted.exists() and noted.read_text() == wanted):
        if shutil.which("npm") is None or shutil.which("node") is None:
            raise PeerMissing("npm and node are not installed")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(wanted)
        _run(["npm", "install", "--ignore-scripts", "--no-fund", "--no-audit"], folder)
        noted.write_text(wanted)
    return folder


def _run(command: Sequence[str], folder: Path | None = None) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_INSTALL_SECONDS,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise PeerMissing(f"{command[0]}: {fault}") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise PeerMissing(f"{' '.join(command)[:200]}: {said[-1] if said else done.returncode}")


def versions(python: Path, packages: Sequence[str]) -> dict[str, str]:
    """Tell which versions an environment has.

    Raises: PeerMissing.
    """
    asks = (
        "import sys, json; from importlib.metadata import version;"
        "print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
    )
    done = subprocess.run(
        [str(python), "-c", asks, *packages],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise PeerMissing(f"cannot tell versions: {done.stderr.strip()[-200:]}")
    return json.loads(done.stdout)
