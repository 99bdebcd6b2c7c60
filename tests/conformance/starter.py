"""Runs tests on copies of the code, one after the other, each in a child of this process.

What the code and its tests stand on is imported once, here, and the code itself in the child
alone: a run takes a second where a new process would take four. Run by `breaking.Starter`.
"""

import importlib
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

# All that takes long to import, and nothing of ours.
UNDERNEATH = (
    *("apsw", "cryptography.x509", "cryptography.hazmat.primitives.asymmetric.ec", "granian"),
    *("cryptography.hazmat.primitives.serialization", "httptools", "httpx", "hypothesis"),
    *("jsonschema", "msgspec", "nacl.signing", "prometheus_client", "psycopg", "psycopg_pool"),
    *("psutil", "rich.console", "starlette.applications", "structlog", "typer", "uvicorn"),
    *("uvloop", "fastapi", "x402", "email.message", "unittest.mock", "pytest", "_pytest.pytester"),
)
NOT_A_VERDICT = 70


def main() -> None:
    """Read what to run from stdin, a JSON list on each line; tell each exit code on stdout.

    A run that takes longer than it may is ended with all that it started, and tells a signal.
    """
    for name in UNDERNEATH:
        try:
            importlib.import_module(name)
        except ImportError:
            continue  # An extra that is not installed here.
    if any(name.partition(".")[0] == "farthing" for name in sys.modules):
        raise AssertionError("the code would not be the copy's")
    for line in sys.stdin:
        source, said, seconds, arguments = json.loads(line)
        child = os.fork()
        if not child:
            os.setsid()
            signal.alarm(seconds)
            os._exit(_run(source, Path(said), arguments))
        _, status = os.waitpid(child, 0)
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # Hubs that it did not live to end.
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(source: str, said: Path, arguments: list[str]) -> Any:
    with said.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    with open(os.devnull) as nothing:  # noqa: PTH123 - a name of the system's
        os.dup2(nothing.fileno(), 0)
    os.environ["PYTHONPATH"] = source
    sys.path.insert(0, source)
    import pytest

    try:
        return int(pytest.main(arguments))
    finally:
        sys.stdout.flush()


if __name__ == "__main__":
    main()
