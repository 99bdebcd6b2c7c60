"""Where a setting stands in the file that configures a hub."""

import re
from pathlib import Path

from farthing.bounded import read_text

_HEAD = re.compile(r"\s*\[\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"\s*([\w\-.\"' ]+?)\s*=")


def place(file: Path, section: str, key: str = "") -> str:
    """Name the file and the line of a setting; the section's own line if there is no key."""
    line = _line_of(read_text(file), f"{section}.{key}" if key else section)
    return f"{file}, line {line}" if line else str(file)


def _line_of(text: str, wanted: str) -> int:
    at = ""
    for number, line in enumerate(text.splitlines(), 1):
        if head := _HEAD.match(line):
            told = at = _bare(head[1])
        elif named := _KEY.match(line):
            told = _bare(f"{at}.{named[1]}" if at else named[1])
            if wanted.startswith(f"{told}."):
                return number  # An inline table: all of it stands here.
        else:
            continue
        if told == wanted:
            return number
    return 0


def _bare(name: str) -> str:
    return re.sub(r"[\"' ]", "", name)
