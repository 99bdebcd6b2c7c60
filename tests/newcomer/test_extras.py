"""Where an extra is not installed, the error that misses it says the exact command."""

import os
import subprocess
import tomllib
from pathlib import Path

import pytest

from .environment import Empty
from .shell import ROOT

NEEDS = {
    "postgres": "FARTHING_BOOKS_ENGINE=postgresql FARTHING_BOOKS_DSN=dbname=farthing farthing init",
    "tigerbeetle": "FARTHING_BOOKS_ENGINE=tigerbeetle FARTHING_BOOKS_ADDRESSES=127.0.0.1:3000"
    " farthing init",
    "otel": "farthing init && FARTHING_TRACING_ENDPOINT=http://127.0.0.1:4318 farthing serve",
    "x402": "python3 -c 'import farthing.plugs.x402_seller'",
    "risk": "python3 -c 'from farthing.risk.models import Detector; Detector([[0]])'",
    "rules": """echo 'risk = {own = {a = {when = "true", says = "a"}}}' > a.toml"""
    " && farthing risk check a.toml",
    "oidc": "farthing init && FARTHING_OIDC_ISSUER=https://login.example FARTHING_OIDC_CLIENT_ID=x"
    " farthing serve",
    "notices": "python3 -c 'import farthing.notifiers.email'",
    "apprise": "python3 -c 'import farthing.notifiers.apprise'",
    "mpp": "python3 -c 'import farthing.plugs.pympp_client'",
}
"""What somebody does who needs an extra, and has the base alone."""


def test_every_extra_is_needed_by_something_that_is_tried_here():
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())
    served_by_itself = {"granian"}  # A command of its own; nothing of ours imports it.
    assert set(NEEDS) | served_by_itself == set(told["project"]["optional-dependencies"])


@pytest.mark.parametrize("environment", ["highest"], indirect=True)
@pytest.mark.parametrize("extra", sorted(NEEDS))
def test_a_missing_extra_is_named_by_the_error_that_misses_it(
    environment: Empty, extra: str, tmp_path: Path
):
    told = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], **environment.variables}
    command = ["bash", "-c", NEEDS[extra]]
    done = subprocess.run(
        command, env=told, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert f"pip install 'farthing[{extra}]'" in done.stderr
    if "farthing init" in NEEDS[extra]:
        assert "Traceback" not in done.stderr
        assert f"[{extra}-missing]" in done.stderr
