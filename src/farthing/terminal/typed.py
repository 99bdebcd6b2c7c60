"""What is typed on a command line, or kept out of it: arguments stand in the list of processes."""

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from farthing.bounded import read_file, read_stream
from farthing.errors import Malformed

_METHOD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_LINE_CHARACTERS_MAX = 16 * 1024
_FILE_BYTES_MAX = 16 * 1024 * 1024


def header_fields(options: Sequence[str]) -> list[tuple[str, str]]:
    """Read header options: `Name: value`, or `@FILE` (`@-`) with one on each line.

    Raises: Malformed `malformed-option`, which does not repeat what was typed.
    """
    return [_field(line) for option in options for line in _lines(option) if line.strip()]


def _lines(option: str) -> Iterable[str]:
    if not option.startswith("@"):
        return [option]
    return typed_file(option[1:]).decode("utf-8", "replace").splitlines()


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip() or not line.isascii():
        raise Malformed("malformed-option", 'write headers like -H "Accept: text/csv", or -H @FILE')
    return name.strip(), value.strip()


def typed_method(told: str) -> str:
    """Read a method of HTTP.

    Raises: Malformed `malformed-option`.
    """
    if not _METHOD.fullmatch(told):
        raise Malformed("malformed-option", f"{told[:40]!r} is no method, such as GET or POST")
    return told.upper()


def typed_file(name: str) -> bytes:
    """Read what an option names as `@FILE`, or stdin for `@-`.

    Raises: Malformed `malformed-option`, `file-too-long`.
    """
    if name == "-":
        return read_stream(sys.stdin.buffer, "stdin", _FILE_BYTES_MAX)
    try:
        return read_file(Path(name), _FILE_BYTES_MAX)
    except OSError as fault:
        raise Malformed("malformed-option", f"{name}: {fault.strerror}") from None
    except ValueError:  # Such as a NUL.
        raise Malformed("malformed-option", "no file can have this name") from None


def one_line() -> str:
    """Read one line from stdin.

    Raises: Malformed `malformed-option` where there is none.
    """
    line = sys.stdin.readline(_LINE_CHARACTERS_MAX).strip()
    if not line:
        raise Malformed("malformed-option", "stdin has nothing to read")
    return line


def without_userinfo(url: str) -> str:
    """Refuse a URL with a user or a password in it, and give it back.

    Raises: Malformed `malformed-option`.
    """
    try:
        found = "@" in urlsplit(url).netloc
    except ValueError:
        found = False
    if found:
        raise Malformed("malformed-option", "a URL has no user or password in it: use -H @FILE")
    return url


def in_path(ident: str) -> str:
    """Give an id that was typed, as one segment of a path.

    Raises: Malformed `malformed-option` for what is no id, such as a script's variable not set.
    """
    if not (ident.isascii() and ident.replace("_", "").isalnum()):
        raise Malformed("malformed-option", f"{ident!r} is no id; one looks like acc_01j…")
    return ident
