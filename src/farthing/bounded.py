"""Files are read up to a bound: what is longer than its kind ever gets is not what it poses as."""

from pathlib import Path
from typing import BinaryIO

from farthing.errors import Malformed

SMALL_BYTES_MAX = 1024 * 1024
"""For what people write and programs note: settings, keys, receipts, certificates, prices."""


def read_file(file: Path, bytes_max: int = SMALL_BYTES_MAX) -> bytes:
    """Read a whole file of at most so many bytes.

    Raises: Malformed `file-too-long`; OSError.
    """
    with file.open("rb") as opened:
        return read_stream(opened, str(file), bytes_max)


def read_text(file: Path, bytes_max: int = SMALL_BYTES_MAX) -> str:
    """Read a whole file of at most so many bytes as UTF-8, with the line ends as `\\n`.

    Raises: Malformed `file-too-long`; UnicodeDecodeError; OSError.
    """
    text = read_file(file, bytes_max).decode("utf-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_stream(opened: BinaryIO, name: str, bytes_max: int = SMALL_BYTES_MAX) -> bytes:
    """Read what is open to its end, if that comes within so many bytes.

    Raises: Malformed `file-too-long`.
    """
    raw = opened.read(bytes_max + 1)
    if len(raw) > bytes_max:
        raise Malformed("file-too-long", f"{name} has more than {bytes_max} bytes")
    return raw
