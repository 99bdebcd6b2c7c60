"""Coverage-guided fuzzing of every parser: `make fuzz`, or `python -m tests.fuzz --only NAME,NAME`.

Each parser runs in a process of its own for its share of the time, starts from the kept corpus
and its samples, and leaves what reaches new code in `build/fuzz/<name>`; `--keep` merges that,
smallest first, into the kept corpus.
"""

import argparse
import base64
import os
import re
import sys
import time
from pathlib import Path
from typing import NoReturn

import atheris

from farthing.errors import FarthingError

from .corpus import KEPT, kept

with atheris.instrument_imports(include=["farthing"]):
    from .parsers import PARSERS, Parser

FOUND = Path("build/fuzz")
_BYTES_MAX = 4096
_COUNT_MAX = 40
_TRACE_MAX = 3000


def main() -> int:
    """Fuzz every parser, or those that are named."""
    options = argparse.ArgumentParser("tests.fuzz", description=__doc__)
    options.add_argument("--seconds", type=int, default=10, help="for each parser")
    options.add_argument("--only", default="", help="parsers' names, with commas")
    options.add_argument("--keep", action="store_true", help="keep what was found")
    given = options.parse_args()
    wanted = [one for one in PARSERS if not given.only or one.name in given.only.split(",")]
    fit = [run(one, given.seconds) for one in wanted]
    if given.keep:
        print(f"{sum(keep(one.name) for one in wanted)} inputs kept")
    return int(not all(fit))


def run(parser: Parser, seconds: int) -> bool:
    """Fuzz one parser in a process of its own, tell what came of it, and whether it held."""
    folder = FOUND / parser.name
    folder.mkdir(parents=True, exist_ok=True)
    for kind, known in (("kept", kept(parser.name)), ("sample", parser.samples)):
        for number, raw in enumerate(known):
            (folder / f"{kind}-{number}").write_bytes(raw)
    log, began = FOUND / f"{parser.name}.log", time.monotonic()
    child = os.fork()  # To read and instrument all the code anew would take longer than the rest.
    if not child:
        fuzz(parser, seconds, folder, log)
    _, status = os.waitpid(child, 0)
    held, told = not status, log.read_text(errors="replace")
    executed = re.findall(r"number_of_executed_units: (\d+)", told)
    reached = re.findall(r"cov: (\d+)", told)
    print(
        f"{parser.name:18} {executed[-1] if executed else '?':>9} runs  "
        f"{reached[-1] if reached else '?':>5} edges  {time.monotonic() - began:4.0f} s"
        ""
        if held
        else "  FAILED",
        flush=True,
    )
    if not held:
        print(told[max(told.find("==="), 0) :][:_TRACE_MAX], flush=True)
    return held


def fuzz(parser: Parser, seconds: int, folder: Path, log: Path) -> NoReturn:
    """Run libFuzzer on one parser; it ends the process by itself."""
    writing = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(writing, stream)
    flags = [f"-max_total_time={seconds}", f"-max_len={_BYTES_MAX}", "-rss_limit_mb=2048"]
    flags += ["-timeout=5", f"-artifact_prefix={folder}/crash-", "-print_final_stats=1"]

    def one(raw: bytes) -> None:
        try:
            parser.read(raw)
        except FarthingError:
            return

    atheris.Setup([sys.argv[0], *flags, str(folder)], one)
    atheris.Fuzz()
    os._exit(0)


def keep(name: str) -> int:
    """Merge the smallest inputs that were found into the kept corpus, and count it."""
    found = [file for file in (FOUND / name).iterdir() if not file.name.startswith("crash-")]
    known = {*kept(name), *(file.read_bytes() for file in found)}
    small = sorted(known, key=lambda raw: (len(raw), raw))[:_COUNT_MAX]
    KEPT.mkdir(exist_ok=True)
    lines = [base64.b64encode(raw).decode() for raw in small]
    (KEPT / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return len(small)


if __name__ == "__main__":
    sys.exit(main())
