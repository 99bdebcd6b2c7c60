"""Hundreds of ways to ask for a priced page; nothing random: that is `test_random_spellings`."""

from .spelled_fields import by_connection, by_field, by_host, by_method
from .spelled_framing import as_bytes, by_chunk, by_length
from .spelled_paths import by_path
from .spelling import Spelling

KINDS = (by_path, by_method, by_field, by_connection, by_host, by_length, by_chunk, as_bytes)


def table() -> list[Spelling]:
    """Give every spelling."""
    return [spelling for kind in KINDS for spelling in kind()]
