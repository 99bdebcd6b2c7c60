"""Running a simulation in a process of its own, on the code as it is or on a broken copy."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conformance.breaking import ROOT

SECONDS_MAX = 240


def simulate(*arguments: str, source: Path | None = None) -> tuple[list[dict[str, Any]], str]:
    """Run it; give what each seed came to, and what was said on the way."""
    environment = {**os.environ, "COLUMNS": "120"}
    if source is not None:
        environment["PYTHONPATH"] = str(source)
    ended = subprocess.run(
        [sys.executable, "-m", "simulation", "--json", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX,
    )  # fmt: skip
    assert ended.returncode in (0, 1), ended.stderr[-3000:]
    told = json.loads(ended.stdout)
    assert ended.returncode == any(one["wrong"] for one in told)
    return told, ended.stderr
