"""Coverage-guided fuzzing of every parser: `make fuzz`, or `python -m tests.fuzz NAME SECONDS`.

Each parser runs in a process of its own for its share of the time, starts from the kept corpus
and its samples, and leaves what reaches new code in `build/fuzz/<name>`; `--keep` merges that,
smallest first, into the kept corpus.
"""

import argparse
import base64
import re
import subprocess
import sys
import time
from pathlib import Path

from rich.progress import track

from .corpus import KEPT, kept

FOUND = Path("build/fuzz")
_BYTES_MAX = 4096
_COUNT_MAX = 40


def main() -> int:
    """Fuzz everything, or run as the child that fuzzes one parser."""
    options = argparse.ArgumentParser("tests.fuzz", description=__doc__)
    options.add_argument("--seconds", type=int, default=10, help="for each parser")
    options.add_argument("--only", default="", help="one parser's name")
    options.add_argument("--keep", action="store_true", help="keep what was found")
    options.add_argument("--child", default="", help=argparse.SUPPRESS)
    given, rest = options.parse_known_args()
    if given.child:
        return fuzz(given.child, rest)
    from .parsers import PARSERS

    names = [p.name for p in PARSERS if given.only in ("", p.name)]
    told = [run(name, given.seconds) for name in track(names, "fuzzing")]
    for line, _ in told:
        print(line)
    if given.keep:
        print(f"{sum(keep(name) for name in names)} inputs kept")
    return int(any(failed for _, failed in told))


def run(name: str, seconds: int) -> tuple[str, bool]:
    """Fuzz one parser in a process of its own, and tell what came of it."""
    folder = FOUND / name
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    for number, raw in enumerate(kept(name)):
        (folder / f"kept-{number}").write_bytes(raw)
    flags = [f"-max_total_time={seconds}", f"-max_len={_BYTES_MAX}", "-rss_limit_mb=2048"]
    flags += ["-timeout=5", f"-artifact_prefix={folder}/crash-", "-print_final_stats=1"]
    command = [sys.executable, "-m", "tests.fuzz", "--child", name, *flags, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    executed = re.findall(r"number_of_executed_units: (\d+)", done.stderr)
    reached = re.findall(r"cov: (\d+)", done.stderr)
    line = (
        f"{name:18} {executed[-1] if executed else '?':>9} runs  "
        f"{reached[-1] if reached else '?':>5} edges  {time.monotonic() - began:4.0f} s"
    )
    if done.returncode == 0:
        return line, False
    trace = done.stderr[done.stderr.find("===") :][:3000] if "===" in done.stderr else done.stderr
    return f"{line}  FAILED\n{trace}", True


def fuzz(name: str, flags: list[str]) -> int:
    """Run libFuzzer on one parser; it ends the process by itself."""
    import atheris

    with atheris.instrument_imports(include=["farthing"]):
        from .parsers import PARSERS

    from farthing.errors import FarthingError

    parser = next(p for p in PARSERS if p.name == name)
    folder = Path(next(word for word in flags if not word.startswith("-")))
    for number, sample in enumerate(parser.samples):
        (folder / f"sample-{number}").write_bytes(sample)

    def one(raw: bytes) -> None:
        try:
            parser.read(raw)
        except FarthingError:
            return

    atheris.Setup([sys.argv[0], *flags], one)
    atheris.Fuzz()
    return 0


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
