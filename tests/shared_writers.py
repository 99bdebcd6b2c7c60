"""One writing process for several hubs that a test opens in its own: a door to it, and its end."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from socket import socket

from farthing.books.door import Door
from farthing.shared_writer import write_for_several
from farthing.store.sqlite import take_lock

_ROOT = Path(__file__).parents[1]
_PATIENCE_SECONDS = 60


class SharedWriterProcess:
    """The process that writes, as who starts it knows it."""

    def __init__(self, books: Path) -> None:
        self.door = Door(take_lock(books))
        self.begin()

    def begin(self) -> None:
        """Start it, also once more after it has ended."""
        handed = [self.door.hears.fileno(), self.door.lock]
        command = [sys.executable, "-m", "tests.shared_writers", *map(str, handed)]
        self.process = subprocess.Popen(command, cwd=_ROOT, pass_fds=handed)

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """Let nobody in any more, and wait for its end, which comes when all have left."""
        self.door.shut()
        self.door.hears.close()
        os.close(self.door.lock)
        return self.process.wait(_PATIENCE_SECONDS)


@contextlib.contextmanager
def writing_for_several(books: Path) -> Generator[SharedWriterProcess]:
    """Start one for the books in a file; it must end by itself."""
    writer = SharedWriterProcess(books)
    try:
        yield writer
        assert writer.end() == 0
    finally:
        writer.kill()


if __name__ == "__main__":
    write_for_several(socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
