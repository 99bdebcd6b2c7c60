"""The heads file in a power cut: nobody waited for it to be on the disk, so its end may be gone."""

from pathlib import Path
from random import Random

_LINES_MAX = 4


def lose_end(heads: Path, luck: Random) -> str:
    """Take something from the file's end, and say what kind of loss it was; nothing for none."""
    lines = heads.read_bytes().splitlines(keepends=True)
    if luck.random() < 0.5 or len(lines) < 2:
        return ""
    kept = lines[: -luck.randrange(1, _LINES_MAX)] or lines[:1]
    torn = b""
    if luck.random() < 0.5 and len(kept) > 1:
        torn = kept[-1][: luck.randrange(1, len(kept[-1]) - 1)]
        kept = kept[:-1]
    heads.write_bytes(b"".join(kept) + torn)
    return "heads-torn" if torn else "heads-cut"
