"""Make a fixture of today's schema, or of an older commit's: `python -m tests.upgrades.make`.

`python -m tests.upgrades.make NAME COMMIT` lets that commit's code live the life of `life.py` in a
temporary folder, on SQLite and on PostgreSQL, and keeps what it leaves behind.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from farthing.store.migrate import migrations
from farthing.testing.postgres import PostgresServer, binaries, temporary_directory

from .life import PASSPHRASE

ROOT = Path(__file__).parents[2]
FIXTURES = Path(__file__).parent / "fixtures"
SQL = Path("src/farthing/store/migrations")
BACKUPS = Path("src/farthing/cli/backing_up.py")


def main(words: list[str]) -> int:
    """Make one fixture."""
    if not words and _git("status", "--porcelain", "--", "src"):
        print("commit src first: a fixture names the commit that made it")
        return 1
    name = words[0] if words else f"schema-{migrations()[-1][0]}"
    commit = _git("rev-parse", words[1] if len(words) > 1 else "HEAD")
    with tempfile.TemporaryDirectory(prefix="farthing-life-") as folder:
        make(name, commit, Path(folder))
    print(f"now name {name} in {FIXTURES / 'README.md'}")
    return 0


def make(name: str, commit: str, folder: Path) -> None:
    """Live at a commit, and keep what is left."""
    tree = folder / "tree"
    tree.mkdir()
    packed = subprocess.run(
        ["git", "archive", commit, "src"], cwd=ROOT, check=True, capture_output=True
    )
    subprocess.run(["tar", "x"], cwd=tree, check=True, input=packed.stdout)
    life = folder / "life"
    _live(tree, life)
    if (tree / BACKUPS).exists():
        _back_up(tree, life)
    if not name.startswith("draft"):
        _on_postgres(tree, life / "postgres")
    told = json.loads((life / "expected.json").read_text())
    receipts = told.pop("receipts")
    (life / "receipts.json").write_text(json.dumps(receipts))
    (life / "expected.json").unlink()
    if name.startswith("draft"):
        shutil.rmtree(life / "device")
    told |= {"commit": commit, "migrations": digests(tree / SQL)}
    (FIXTURES / f"{name}.json").write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")
    with tarfile.open(FIXTURES / f"{name}.tar.xz", "w:xz", preset=9) as tar:
        tar.add(life, ".", filter=_plain)


def digests(folder: Path) -> dict[str, str]:
    """Give the SHA-256 of every migration's text."""
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.glob("*.sql"))
    }


def _live(tree: Path, life: Path, *dsn: str) -> None:
    script = Path(__file__).with_name("life.py")
    _run(tree, [sys.executable, script, life, *dsn])


def _back_up(tree: Path, life: Path) -> None:
    phrase = life / "phrase"
    phrase.touch(mode=0o600)
    phrase.write_bytes(PASSPHRASE)
    config = ["--config", life / "hub" / "farthing.toml"]
    words = ["backup", life / "books.backup", "--passphrase-file", phrase, *config]
    _run(tree, [sys.executable, "-m", "farthing", *words])


def _on_postgres(tree: Path, kept: Path) -> None:
    """Live on PostgreSQL as well; keep the dump, the hub's folder and what is expected."""
    place = temporary_directory()
    server = PostgresServer(place / "pg")
    server.start()
    try:
        _live(tree, kept, server.dsn())
        dump = [binaries() / "pg_dump", "--no-owner", "--inserts", "--dbname", server.dsn()]
        text = subprocess.run(dump, check=True, capture_output=True, text=True).stdout
    finally:
        server.stop()
        shutil.rmtree(place, ignore_errors=True)
    # psql's own commands, and settings of a session, are nothing to a driver.
    lines = [line for line in text.splitlines() if not line.startswith(("\\", "SET ", "--"))]
    (kept / "dump.sql").write_text("\n".join(line for line in lines if line) + "\n")
    shutil.rmtree(kept / "sealed", ignore_errors=True)


def _run(tree: Path, words: list[Any]) -> None:
    environ = os.environ | {"PYTHONPATH": str(tree / "src")}
    subprocess.run([str(word) for word in words], cwd=tree, check=True, env=environ)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Keep modes, and nothing of whose machine it was."""
    if member.name.endswith((".sock", ".lock")):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    return member


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
