"""Commands run in this process, in a folder of their own, as `farthing` runs them."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from farthing.cli import main


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


class Terminal:
    """Runs commands with a home of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *words: str, **environ: str) -> Said:
        """Run one command."""
        out, err, code = io.StringIO(), io.StringIO(), 0
        with (
            _settings(words, {"FARTHING_HOME": str(self.home)} | environ),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
        assert "Traceback" not in err.getvalue(), err.getvalue()
        return Said(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _settings(words: tuple[str, ...], environ: dict[str, str]) -> Iterator[None]:
    before, argv = dict(os.environ), sys.argv
    for name in [name for name in os.environ if name.startswith("FARTHING")]:
        del os.environ[name]
    os.environ.update(environ | {"NO_COLOR": "1", "COLUMNS": "100"})
    sys.argv = ["farthing", *words]
    try:
        yield
    finally:
        sys.argv = argv
        os.environ.clear()
        os.environ.update(before)
