"""Folders for their owner's eyes only."""

from pathlib import Path


def private_folder(path: Path) -> None:
    """Make a folder of mode 0700, and such for whatever is missing on the way to it.

    Shape:  what is there stays as it is. Made by `mkdir(parents=True)`, those on the way would be
            open as far as the umask lets them, and whoever may write to one of them can put
            something else in the place of what lies below.
    Raises: OSError.
    """
    for folder in (*reversed(path.parents), path):
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
