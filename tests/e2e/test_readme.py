"""The README's commands, word for word, in a shell of their own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ISOLATED = ["unshare", "--user", "--map-root-user", "--net"]
LOOPBACK_UP = (
    "import fcntl, socket, struct; s = socket.socket();"
    "fcntl.ioctl(s, 0x8914, struct.pack('16sh', b'lo', 0x49))"
)


def blocks(file: Path) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", file.read_text(), re.DOTALL | re.MULTILINE)


def can_isolate() -> bool:
    if shutil.which("unshare") is None:
        return False
    probe = subprocess.run([*ISOLATED, sys.executable, "-c", LOOPBACK_UP], capture_output=True)
    return probe.returncode == 0


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "FARTHING_HOME": str(folder / "farthing"),
        "NO_COLOR": "1",
    }
    lines = ["set -eu", "trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT"]
    if can_isolate():
        lines.append(f'{sys.executable} -c "{LOOPBACK_UP}"')
    command = [*(ISOLATED if can_isolate() else []), "bash", "-c", "\n".join([*lines, script])]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


def test_the_sixty_seconds_of_the_readme_end_in_a_paid_page_and_a_clean_audit(tmp_path: Path):
    # `make` is what runs this test, and installing is what it runs on.
    steps = [b for b in blocks(ROOT / "README.md") if not b.startswith(("make", "python3 -m venv"))]
    assert len(steps) == 4
    done = run("\n".join(steps), tmp_path)
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    assert "HTTP/1.1 402 Payment Required" in done.stdout
    assert "worth a tenth of a cent" in done.stdout
    assert "paid 0.001 USD" in done.stderr
    assert re.search(r"9\.999 USD +open +wallet", done.stdout), done.stdout
    assert re.search(r"0\.001 USD +open +shop", done.stdout), done.stdout
    assert done.stdout.count("fk_") == 1, "the key is shown once"
