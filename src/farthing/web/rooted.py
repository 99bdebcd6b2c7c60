"""Apps under a root path answer to two spellings: with it in front, and without."""

from collections.abc import Iterable

from farthing.core.paths import Path, written


def readings(path: Path, roots: Iterable[str]) -> list[Path]:
    """Give a path as it was sent, then every other one that an app under these roots reads in it.

    Source: the ASGI specification, `root_path`: a path may or may not begin with it.
    """
    found = [path]
    for root in {root.rstrip("/") for root in roots} - {""}:
        inner = path.text.removeprefix(root) if path.text.startswith(root + "/") else path.text
        found += [written(text) for text in (inner, root + inner) if text != path.text]
    return found
