"""Metrics of several processes on one page: the same names, told apart by a label.

They are not added up: a process that was started again counts from nothing, and a sum would
seem to have lost what the others counted.
"""

import re
from collections.abc import Mapping

_SAMPLE = re.compile(rb"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$")


def side_by_side(pages: Mapping[int, bytes]) -> bytes:
    """Write the pages of workers as one. Shape: `pages` are by the worker's number."""
    heads: dict[bytes, list[bytes]] = {}
    samples: dict[bytes, list[bytes]] = {}
    for number, page in sorted(pages.items()):
        family = b""
        for line in page.splitlines():
            if line.startswith(b"# HELP "):
                family = line.split(b" ", 3)[2]
                heads[family] = []
            if line.startswith(b"#"):
                heads[family].append(line)
            else:
                samples.setdefault(family, []).append(_labelled(line, number))
    lines = [line for family, head in heads.items() for line in (*head, *samples.get(family, ()))]
    return b"\n".join(lines) + b"\n"


def _labelled(line: bytes, number: int) -> bytes:
    read = _SAMPLE.match(line)
    if read is None:
        return line
    name, labels, value = read.groups()
    mark = b'worker="%d"' % number
    return b"%s{%s} %s" % (name, labels + b"," + mark if labels else mark, value)
